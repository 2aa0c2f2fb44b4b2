/** What every answer says to browsers, whatever it is. Names and values in turn. */
export const SAFE: readonly string[] = [
  // What looks like a script is none.
  'x-content-type-options', 'nosniff',
  // A URL of ours is nobody else's business: it may hold a ticket.
  'referrer-policy', 'no-referrer',
  // Not as an image or a script of another origin; requests by CORS, EventSource's too, are not bound by it.
  'cross-origin-resource-policy', 'same-origin'
]

export function pairs (flat: readonly string[]): Array<readonly [string, string]> {
  return flat.flatMap((name, index) => index % 2 === 0 ? [[name, flat[index + 1]!] as const] : [])
}
