/** Quantities over time, a panel each. */
import { at, path, picture, sign, words } from './svg.ts'
import type { Point } from './trend.ts'

export interface Panel {
  readonly label: string
  readonly unit: string
  readonly points: readonly Point[]
  /** Absent: shown, not judged. */
  readonly state?: 'met' | 'missed'
  /** Stands behind the state. */
  readonly verdict: string
}

export interface LineChart {
  readonly title: string
  readonly description: string
  readonly legend: readonly string[]
  /** Where what is judged begins, minutes. */
  readonly from: number
  readonly panels: readonly Panel[]
}

const COLUMNS = 3
const WIDTH = 980
const PANEL = { width: 304, height: 176 }
const PLOT = { left: 44, top: 48, width: 244, height: 92 }

/** 1, 2 or 5 times a power of ten, the least that is not below. */
function round (value: number): number {
  if (!(value > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 5, 10].map(step => step * power).find(step => step >= value * 0.999)!
}

const short = (value: number): string => String(Number(value.toPrecision(3)))

export function lineChart (chart: LineChart): string {
  const top = 56 + 17 * chart.legend.length + 6
  const rows = Math.ceil(chart.panels.length / COLUMNS)
  const end = Math.max(1e-9, ...chart.panels.flatMap(({ points }) => points.map(({ minute }) => minute)))
  const parts = [words(chart.title, { x: 24, y: 34, classes: 'title' }), ...chart.legend.map((line, index) => words(line, { x: 24, y: 56 + 17 * index, classes: 'muted small' }))]
  for (const [index, panel] of chart.panels.entries()) {
    const place = { x: 24 + (index % COLUMNS) * (PANEL.width + 10), y: top + Math.floor(index / COLUMNS) * PANEL.height }
    parts.push(...drawn(panel, place, { from: chart.from, end }))
  }
  return picture({ width: WIDTH, height: top + rows * PANEL.height + 8, title: chart.title, description: chart.description }, parts)
}

function drawn ({ label, unit, points, state, verdict }: Panel, place: { x: number, y: number }, { from, end }: { from: number, end: number }): string[] {
  const [left, above] = [place.x + PLOT.left, place.y + PLOT.top]
  const most = round(Math.max(0, ...points.map(({ value }) => value)))
  const x = (minute: number): number => left + minute / end * PLOT.width
  const y = (value: number): number => above + PLOT.height - value / most * PLOT.height
  const levels = [0, most / 2, most].flatMap(level => [
    path(`M${left} ${at(y(level))}h${PLOT.width}`, level === 0 ? 'axis' : 'grid'),
    words(short(level), { x: left - 6, y: y(level) + 4, classes: 'small muted end' })
  ])
  const line = points.map(({ minute, value }, index) => `${index === 0 ? 'M' : 'L'}${at(x(minute))} ${at(y(value))}`).join('')
  return [
    words(`${label}, ${unit}`, { x: place.x, y: place.y + 18, classes: 'part' }),
    ...state === undefined ? [] : [sign(state, { x: place.x + 1, y: place.y + 26 })],
    words(verdict, { x: place.x + (state === undefined ? 0 : 18), y: place.y + 36, classes: 'small muted' }),
    ...levels,
    `<path class="axis" stroke-dasharray="2 3" d="M${at(x(from))} ${above - 4}v${PLOT.height + 4}"/>`,
    path(line, state === 'missed' ? 'line bad' : 'line'),
    ...[0, end].map(minute => words(`${short(minute)} min`, { x: x(minute), y: above + PLOT.height + 16, classes: minute === 0 ? 'small muted' : 'small muted end' }))
  ]
}
