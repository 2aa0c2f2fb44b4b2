/** How conflicts are settled, as the program's options say it. */
import { conflictStrategies, type ConflictStrategy } from '../collections.ts'
import { oneOf } from './arguments.ts'

/** The same for the server and for `import`, so that both settle alike. */
export const strategyOption = {
  type: 'string',
  value: '<name>',
  env: 'POCKET_CONFLICT_STRATEGY',
  default: conflictStrategies[0],
  summary: `or ${conflictStrategies.slice(1).join(', ')}`
} as const

/** @throws UsageError */
export function strategyOf (options: Readonly<Record<'conflict-strategy', string>>): ConflictStrategy {
  return oneOf('the conflict strategy', options['conflict-strategy'], conflictStrategies)
}
