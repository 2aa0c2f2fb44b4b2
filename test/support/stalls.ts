/** Says when this process stood still, and what of: a test that failed of it says only that something came too late. */

const LOOK = 250
/** ms; shorter ones are those of a busy machine. */
const STALL = 5000

let watching = false

/** For as long as the process lives; keeps nothing alive. */
export function reportStalls (): void {
  if (watching) return
  watching = true
  let then = performance.now()
  let used = process.resourceUsage()
  setInterval(() => {
    const now = performance.now()
    const usage = process.resourceUsage()
    if (now - then > STALL) process.stderr.write(`${process.argv[1] ?? ''} stood still for ${((now - then) / 1000).toFixed(1)} s: ${difference(used, usage)}\n`)
    then = now
    used = usage
  }, LOOK).unref()
}

/** CPU tells a loop from a wait; page faults and reads what it waited for. */
function difference (before: NodeJS.ResourceUsage, { userCPUTime, systemCPUTime, majorPageFault, fsRead, involuntaryContextSwitches }: NodeJS.ResourceUsage): string {
  const cpu = (userCPUTime + systemCPUTime - before.userCPUTime - before.systemCPUTime) / 1e6
  return `${cpu.toFixed(1)} s of CPU, ${majorPageFault - before.majorPageFault} page faults, ${fsRead - before.fsRead} reads, ${involuntaryContextSwitches - before.involuntaryContextSwitches} times put aside`
}
