/** What is pushed: documents of about 300 bytes whose ids grow with time, as those of most apps do. */

const words = 'milk and bread before the shop closes, call the plumber about the kitchen tap, water the plants on both balconies, ask Ada when the train leaves'

/** Ids that grow: within a series by its number, between series by the time they began; several processes may begin at once. */
export class Series {
  readonly #start = `${Date.now().toString(36)}${process.pid.toString(36)}`
  #count = 0

  next (): string {
    return `${this.#start}-${(this.#count++).toString(36).padStart(7, '0')}`
  }
}

/** @param version what an update changes */
export function documentText (id: string, version: number, now: number): string {
  return `{"_id":"${id}","title":"Task ${id}","note":"${words}","done":${version % 2 === 1},"priority":${version % 5},"tags":["home","errand"],"createdAt":1767225600000,"updatedAt":${now},"version":${version}}`
}
