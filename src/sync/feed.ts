/** Live: one tail per node, shared by all streams (DESIGN 8). */
export interface Feed {
  /** Open streams. */
  readonly size: number
}
