/** Passwords in the names of places, which are printed, logged and told in errors. */

/** Up to the last @ of a word: what is no valid URL may have others in its password. */
const IN_AUTHORITY = /(:\/\/[^\s:/@]*):[^\s"']*@/g
const IN_QUERY = /([?&](?:ssl)?password=)[^&\s"']*/gi
/** After which a password may come: a scheme with its slashes, or whatever stands before the first two. */
const BEGINNING = /^(?:\s*[a-z][a-z0-9+.-]*:\/*|.*?\/\/)/is
/** Of a query by its name; names that are written in other ways are not read here. */
const PASSWORD = /[?&][^=&]*(?:pass|%)[^=&]*=/i
const PLAIN_USER = /^[\w.-]*$/
/** A word of the command line that can be nothing but the address of a server. */
const ADDRESS = /^\s*(?:postgres|redis)[a-z]*:|\/\//i

/**
 * The name of a place without its password, whatever it is made of; where it is unclear what the password is, without
 * everything that may be.
 */
export function maskedPlace (place: string): string {
  const start = BEGINNING.exec(place)?.[0]
  if (start === undefined || /^sqlite:/i.test(start)) return place
  const rest = place.slice(start.length)
  const at = rest.lastIndexOf('@')
  const query = PASSWORD.exec(rest)
  if (query !== null && query.index < at) return `${start}***`
  const shown = query === null ? rest : `${rest.slice(0, query.index + query[0].length)}***`
  return at === -1 ? start + shown : start + userIn(place, rest.slice(0, at)) + shown.slice(at)
}

/**
 * The same text without passwords.
 * @param words from which it may have names of places: they are found in it whatever their passwords are made of
 */
export function masked (text: string, words: readonly string[] = []): string {
  for (const word of words) {
    if (!ADDRESS.test(word) || maskedPlace(word) === word) continue
    for (const form of [word, JSON.stringify(word).slice(1, -1)]) text = text.replaceAll(form, () => maskedPlace(word))
  }
  return text.replace(IN_AUTHORITY, '$1:***@').replace(IN_QUERY, '$1***')
}

/** @param who what stands before the last @ */
function userIn (place: string, who: string): string {
  if (!URL.canParse(place)) return '***'
  const { username, password } = new URL(place)
  if (!PLAIN_USER.test(username)) return '***'
  if (password !== '' && who.startsWith(`${username}:`)) return `${username}:***`
  // Redis is given a password alone more often than a user alone.
  return who === username && /^postgres/i.test(place) ? who : '***'
}
