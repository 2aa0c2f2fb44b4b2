/** The results of a run: JSON for comparing, and the page and the pictures that are made of it. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { arch, cpus, platform } from 'node:os'
import { ratioChart, type Bar, type Section } from './ratio-chart.ts'
import { figure, markdownTable, verdict, type Row } from './report.ts'

export interface WorkResult {
  readonly name: string
  readonly seconds: number
  readonly rows: readonly Row[]
  /** Why it has no rows. */
  readonly failed?: string
}

export interface Results {
  readonly date: string
  /** What makes them anew. */
  readonly command: string
  readonly machine: { readonly node: string, readonly platform: string, readonly cores: number }
  readonly works: readonly WorkResult[]
}

export function resultsOf (command: string, works: readonly WorkResult[]): Results {
  return { date: new Date().toISOString(), command, machine: { node: process.version, platform: `${platform()} ${arch()}`, cores: cpus().length }, works }
}

/** @throws Error when there are none */
export function readResults (folder: string): Results {
  return JSON.parse(readFileSync(`${folder}/latest.json`, 'utf8')) as Results
}

/** Writes `latest.json` and all that is made of it. */
export function writeResults (folder: string, results: Results): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(`${folder}/latest.json`, JSON.stringify(results, null, 2) + '\n')
  for (const [name, render] of Object.entries(renderings)) writeFileSync(`${folder}/${name}`, render(results))
}

const titles = new Map([['push', 'Push'], ['pull', 'Pull'], ['first-sync', 'First sync'], ['cache', 'Behind a cache'], ['fanout', 'Streams'], ['storm', 'Streams that come back'], ['access', 'Rules of access'], ['scale', 'Growth'], ['history', 'History'], ['nodes', 'Several nodes']])
const titleOf = (name: string): string => titles.get(name) ?? name

/** Servers that people use, rather than limits. */
const isPeer = ({ limit }: Row): boolean => /rxdb-server|express-pouchdb|nchan/.test(limit)

/** Files that are made of the results alone: a repository in which they differ is stale. */
export const renderings: Readonly<Record<string, (results: Results) => string>> = { 'latest.md': pageOf, 'bars.svg': barsOf, 'peers.svg': peersOf }

function pageOf ({ date, command, machine, works }: Results): string {
  const parts = works.map(({ name, seconds, rows, failed }) => {
    const body = failed === undefined ? markdownTable(rows) : `**Failed**, without results: ${failed.split('\n')[0]}`
    return `## ${titleOf(name)}\n\n\`--only ${name}\`, ${Math.round(seconds)} s.\n\n${body}\n`
  })
  return `# Benchmark

\`${command}\` on ${date.slice(0, 10)}, Node ${machine.node}, ${machine.cores} cores, ${machine.platform}. Server, load generator and what each is compared with ran on one machine in interleaved rounds: the ratios count, not the figures.

![Every bar, and how far from it we are](bars.svg)

![Against other servers](peers.svg)

${parts.join('\n')}`
}

/** On a scale where more is better, whichever way the ratio runs. */
const better = ({ lowerIsBetter = false }: Row, ratio: number): number => lowerIsBetter ? 1 / ratio : ratio
const states = new Map([['MISSED', 'missed'], ['met', 'met'], ['met, and the aim', 'aim']] as const)
const stateOf = (row: Row): Bar['state'] => states.get(verdict(row) as 'met')
const sign = ({ lowerIsBetter }: Row): string => lowerIsBetter === true ? '≤' : '≥'

function sections (works: readonly WorkResult[], fits: (row: Row) => boolean, bar: (row: Row) => Bar): Section[] {
  return works.map(({ name, rows }) => ({ name: titleOf(name), bars: rows.filter(row => fits(row) && Number.isFinite(row.ratio)).map(bar) })).filter(({ bars }) => bars.length > 0)
}

function failures (works: readonly WorkResult[]): string[] {
  const names = works.filter(({ failed }) => failed !== undefined).map(({ name }) => titleOf(name))
  return names.length === 0 ? [] : [`Failed, and so without figures: ${names.join(', ')}.`]
}

/** Each ratio as a multiple of its bar. */
function barsOf ({ works }: Results): string {
  const found = sections(works, ({ bar }) => bar !== undefined, row => {
    const bar = better(row, row.bar!)
    return {
      label: row.work,
      detail: `${row.limit}: ratio ${sign(row)} ${figure(row.bar!)}${row.aim === undefined ? '' : `, aim ${figure(row.aim)}`}`,
      value: better(row, row.ratio) / bar,
      aim: row.aim === undefined ? undefined : better(row, row.aim) / bar,
      state: stateOf(row),
      figure: figure(row.ratio)
    }
  })
  const all = found.flatMap(({ bars }) => bars)
  const missed = all.filter(({ state }) => state === 'missed')
  return ratioChart({
    title: `${all.length - missed.length} of ${all.length} bars met`,
    description: missed.length === 0 ? 'No bar is missed.' : `Missed: ${missed.map(({ label, figure }) => `${label} (${figure})`).join('; ')}.`,
    legend: ['Our ratio to what each work is compared with, against the bar it must reach: right of the line is better than', 'the bar, striped and left of it is missed. A diamond is the aim.', ...failures(works)],
    line: 'bar',
    sections: found
  })
}

/** How many times better than other servers we are. */
function peersOf ({ works }: Results): string {
  const found = sections(works, isPeer, row => ({
    label: row.work,
    detail: `${row.limit}: ${figure(row.limitValue)}, ours ${figure(row.ours)} ${row.unit}`,
    value: better(row, row.ratio),
    bar: row.bar === undefined ? undefined : better(row, row.bar),
    aim: row.aim === undefined ? undefined : better(row, row.aim),
    state: stateOf(row),
    figure: `${figure(better(row, row.ratio))} ×`
  }))
  const all = found.flatMap(({ bars }) => bars)
  return ratioChart({
    title: 'Against other servers, side by side in the same run',
    description: all.map(({ label, detail, figure }) => `${label}, ${detail}: ${figure}`).join('; '),
    legend: ['How many times as fast, or as cheap, as the other: right of the line we are better. An upright mark is the bar,', 'a diamond the aim; striped is short of the bar.'],
    line: 'equal',
    sections: found
  })
}
