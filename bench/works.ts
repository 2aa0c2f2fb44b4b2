/** What the suite measures, in this order. */
import { access } from './access.ts'
import { cache } from './cache.ts'
import { fanout } from './fanout.ts'
import { firstSync } from './first-sync.ts'
import { history } from './history.ts'
import { nodes } from './nodes.ts'
import { pull } from './pull.ts'
import { push } from './push.ts'
import { scale } from './scale.ts'
import { storm } from './storm.ts'
import type { Work } from './support/suite.ts'

export const works: readonly Work[] = [push, pull, firstSync, cache, fanout, storm, access, scale, history, nodes]
