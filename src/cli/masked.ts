/** Passwords in the names of places, which are printed, logged and told in errors. */

/** Up to the last @ of a word: what is no valid URL may have others in its password. */
const IN_AUTHORITY = /(:\/\/[^\s:/@]*):[^\s"']*@/g
const IN_QUERY = /([?&](?:ssl)?password=)[^&\s"']*/gi

/** The same text without passwords. */
export function masked (text: string): string {
  return text.replace(IN_AUTHORITY, '$1:***@').replace(IN_QUERY, '$1***')
}
