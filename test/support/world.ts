/** A server as a property sees it: the rules, and a restart of them over the same log. */
import { SqliteChangeLog } from '../../src/changelog/sqlite.ts'
import { openRules, START, type RuleOptions, type Rules } from './rules.ts'

export interface World {
  /** Others after a restart. */
  rules: Rules
  readonly reopen: (meanwhile?: () => Promise<void>) => Promise<void>
}

/** Over memory, which no restart survives: there is none. */
export async function inMemory (options: RuleOptions = {}): Promise<World> {
  return { rules: await openRules(options), reopen: async () => {} }
}

/** Its clock goes on over restarts. */
export async function overFile (path: string, options: RuleOptions = {}): Promise<World> {
  const open = async (time: number): Promise<Rules> => {
    const rules = await openRules({ ...options, store: new SqliteChangeLog(path, { ballastBytes: 0 }) })
    rules.clock.time = time
    return rules
  }
  const world: World = {
    rules: await open(START),
    async reopen (meanwhile) {
      await world.rules.close()
      await meanwhile?.()
      world.rules = await open(world.rules.clock.time)
    }
  }
  return world
}
