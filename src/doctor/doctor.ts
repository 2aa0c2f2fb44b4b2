/** The examination of a deployed server: what is asked in which order, and what is told of it. It writes nothing there. */
import { access, accessOf, askAll, pullText } from './access.ts'
import type { Access } from './access.ts'
import { ask, type Heard } from './ask.ts'
import { largePush, pushLarge } from './body.ts'
import { askTwice, caching } from './cache.ts'
import { Chart } from './chart.ts'
import type { Outcome, Told } from './chart.ts'
import { clock, tickOf } from './clock.ts'
import type { Tick } from './clock.ts'
import { askAcross, cors } from './cors.ts'
import { crowd, together } from './crowd.ts'
import { skipped } from './finding.ts'
import { endOfLog, idle, LATE, longPoll, pollLong } from './idle.ts'
import { askProbes, askResume, paths, resume } from './pass.ts'
import { httpVersion, reach, reachable, secure, tls } from './reach.ts'
import { health, infoOf, numberOf, server } from './server.ts'
import type { Info } from './server.ts'
import type { Site } from './site.ts'
import { askCompressed, compression, cookies, headers, stream } from './stream.ts'
import { watch } from './watch.ts'
import type { Hello, Watched } from './watch.ts'

export interface ExamineOptions {
  /** Whose pages are to use the server; null leaves CORS out. */
  readonly origin: string | null
  /** How long silence is tried, ms; 0 leaves it out. Default a heartbeat of a stream, and the server's longest long poll. */
  readonly idleMs: number | undefined
  /** Called with each finding as soon as it is known, in a fixed order. */
  readonly tell: (told: Told) => Promise<void>
  /** Called before what takes so long, ms. */
  readonly onWait: (ms: number) => Promise<void>
}

/** Ends early, and tells no more, once the site's signal is aborted. */
export async function examine (site: Site, options: ExamineOptions): Promise<Outcome> {
  const chart = new Chart(site, options.tell)
  const found = await arrive(chart)
  if (found !== null) {
    const as = await identify(chart)
    if (as === 'none') await strange(chart, options, found)
    else await live(chart, options, { ...found, as })
  }
  return chart.outcome()
}

interface Found {
  readonly info: Info
  readonly infoHeard: Heard
  readonly h2: boolean
}

/** @returns null where there is no server to go on with */
async function arrive (chart: Chart): Promise<Found | null> {
  const { site } = chart
  const reached = await reach(site)
  chart.reached = reached.address !== null
  await chart.tell(reachable(reached, site.url))
  if (!chart.reached) return null
  const secured = site.url.protocol === 'https:' ? await secure(site) : null
  const finding = tls(site.url, secured, site.now())
  await chart.tell(finding)
  if (finding.level === 'problem') return null
  const infoHeard = await chart.ask({ path: '/sync/info', as: 'nobody' })
  const healthHeard = await chart.ask({ path: '/health', as: 'nobody' })
  await chart.tell(httpVersion(site.url, secured, chart.way.proxies.includes('apache')))
  await chart.tell(server(infoHeard, site.url))
  const info = infoOf(infoHeard)
  if (info === null) return null
  await chart.tell(health(healthHeard))
  chart.know({ waitMs: waitOf(info), bodyBytes: numberOf(info.limits, 'bodyBytes', Infinity) })
  return { info, infoHeard, h2: secured?.alpn === 'h2' }
}

/** Attack: a server that says it waits for years. What bears this bears longer; ms. */
const LONGEST_POLL = 5 * 60_000

function waitOf ({ limits }: Info): number {
  return Math.min(numberOf(limits, 'waitMs', 25_000), LONGEST_POLL)
}

async function identify (chart: Chart): Promise<Access> {
  const { site } = chart
  const asked = await askAll(site)
  chart.remember(asked.user, asked.nobody)
  const as = accessOf(asked)
  await chart.tell(clock(await ticks(site, as)))
  await chart.tell(access(asked, site))
  return as
}

async function ticks (site: Site, as: Access): Promise<Tick[]> {
  const found: Tick[] = []
  for (let i = 0; i < 3; i++) {
    const asked = site.now()
    const heard = await ask(site, as === 'none' ? { path: '/sync/info', as: 'nobody' } : { path: '/sync/pull', method: 'POST', body: pullText(asked) })
    const tick = tickOf(heard, asked, site.now())
    if (tick !== null) found.push(tick)
  }
  return found
}

/** What can be looked at without being let in. */
async function strange (chart: Chart, { origin }: ExamineOptions, { infoHeard }: Found): Promise<void> {
  const { site } = chart
  const [probed, twice, across] = await Promise.all([askProbes(site), askTwice(site, 'none', false), origin === null ? null : askAcross(site, origin)])
  await chart.tell(skipped('streams', 'and long polls, large pushes: nobody without a right gets that far'))
  await chart.tell(paths(probed))
  await chart.tell(caching(twice))
  await chart.tell(cookies([infoHeard, ...probed]))
  await chart.tell(cors(across))
}

async function live (chart: Chart, { origin, idleMs, onWait }: ExamineOptions, { info, infoHeard, h2, as }: Found & { as: Access }): Promise<void> {
  const { site } = chart
  const watching = watch(site, { holdMs: ({ heartbeatMs }) => idleMs ?? heartbeatMs + LATE + 500 })
  const begun = await watching.begun
  if (begun.head !== null) chart.remember(begun.head)
  await chart.tell(stream(begun))
  if (h2 && begun.hello !== null) await chart.tell(together(await crowd(site)))
  const waitMs = Math.min(waitOf(info), idleMs ?? Infinity)
  const started = performance.now()
  const place = waitMs === 0 ? null : begun.hello ?? await endOfLog(site)
  const polled = place === null ? null : pollLong(site, place, waitMs)
  await quick(chart, { begun, infoHeard, origin, as, hasChanges: info.features.includes('changes') })
  if (idleMs === 0) return await chart.tell(skipped('idle', 'not asked: leave out --idle 0'))
  await onWait(waitFor(begun.hello, { idleMs, waitMs }) - (performance.now() - started))
  await chart.tell(begun.hello === null ? skipped('idle', 'needs a stream') : idle(await watching.over))
  if (polled !== null) await chart.tell(longPoll(await polled, waitMs))
}

function waitFor (hello: Hello | null, { idleMs, waitMs }: { idleMs: number | undefined, waitMs: number }): number {
  return hello === null ? waitMs : Math.max(idleMs ?? hello.heartbeatMs + LATE, waitMs)
}

interface Quick {
  readonly begun: Watched
  readonly infoHeard: Heard
  readonly origin: string | null
  readonly as: Access
  readonly hasChanges: boolean
}

/** All that needs no waiting, at once. */
async function quick (chart: Chart, { begun, infoHeard, origin, as, hasChanges }: Quick): Promise<void> {
  const { site } = chart
  const isLive = begun.hello !== null
  const [compressed, resumed, probed, pushed, twice, across] = await Promise.all([
    isLive ? askCompressed(site) : null,
    isLive ? askResume(site) : null,
    askProbes(site),
    pushLarge(site),
    askTwice(site, as, hasChanges),
    origin === null ? null : askAcross(site, origin)
  ])
  if (begun.head !== null && isLive) await chart.tell(headers(begun.head, infoHeard))
  if (compressed !== null) await chart.tell(compression(compressed))
  await chart.tell(resumed === null ? skipped('resume', 'needs a stream') : resume(resumed))
  await chart.tell(paths(probed))
  await chart.tell(largePush(pushed))
  await chart.tell(caching(twice))
  await chart.tell(cookies([infoHeard, ...probed, ...begun.head === null ? [] : [begun.head]]))
  await chart.tell(cors(across))
}
