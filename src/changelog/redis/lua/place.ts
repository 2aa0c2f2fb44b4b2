/** The name that a log got where it lies: one that moved there has another than its source. */
import { reading } from '../layout.ts'

export const PLACE = reading(['meta'], "return redis.call('HGET', meta, 'log')")
