/** Bars that grow from a line to the right where we are better, to the left where we are worse. */
import { at, path, picture, sign, words } from './svg.ts'

export interface Bar {
  readonly label: string
  /** Stands below the label. */
  readonly detail: string
  /** Where the bar ends on the scale, on which 1 is the line; above it is better. */
  readonly value: number
  /** Where these stand on the scale. */
  readonly bar?: number | undefined
  readonly aim?: number | undefined
  /** Absent: nothing was demanded. */
  readonly state?: 'missed' | 'met' | 'aim' | undefined
  /** Stands behind the bar. */
  readonly figure: string
}

export interface Section { readonly name: string, readonly bars: readonly Bar[] }

export interface RatioChart {
  readonly title: string
  readonly description: string
  /** Below the title: how to read it, line by line. */
  readonly legend: readonly string[]
  /** What the line is, and a place on the scale. */
  readonly line: string
  readonly sections: readonly Section[]
}

const WIDTH = 980
const LEFT = 412
const RIGHT = 856
/** What is below the title begins here, and each of its lines takes this much. */
const LEGEND = 56
const LINE = 17
const ROW = 42
const PART = 34
/** Room for the figure behind the longest bar. */
const ROOM = 1.35

const ends = (chart: RatioChart): number[] => chart.sections.flatMap(({ bars }) => bars.flatMap(({ value, bar, aim }) => [value, bar ?? 1, aim ?? 1])).filter(value => value > 0 && Number.isFinite(value))

/** Places on a scale of powers of two that holds every bar. */
class Scale {
  readonly #low: number
  readonly #high: number
  readonly ticks: readonly number[]

  constructor (values: readonly number[]) {
    this.#low = Math.min(-1, Math.floor(Math.log2(Math.min(1, ...values) / ROOM)))
    this.#high = Math.max(1, Math.ceil(Math.log2(Math.max(1, ...values) * ROOM)))
    const step = Math.ceil((this.#high - this.#low) / 8)
    const ticks: number[] = []
    for (let power = Math.ceil(this.#low / step) * step; power <= this.#high; power += step) ticks.push(2 ** power)
    this.ticks = ticks
  }

  place (value: number): number {
    const share = (Math.log2(Math.max(value, 2 ** this.#low)) - this.#low) / (this.#high - this.#low)
    return LEFT + share * (RIGHT - LEFT)
  }
}

const tickText = (value: number): string => value < 1 ? `1/${1 / value} ×` : `${value} ×`

export function ratioChart (chart: RatioChart): string {
  const scale = new Scale(ends(chart))
  const top = LEGEND + LINE * chart.legend.length + 22
  const height = top + chart.sections.reduce((sum, { bars }) => sum + PART + bars.length * ROW, 0) + 20
  const parts = [words(chart.title, { x: 24, y: 34, classes: 'title' }), ...chart.legend.map((line, index) => words(line, { x: 24, y: LEGEND + LINE * index, classes: 'muted small' }))]
  for (const tick of scale.ticks) {
    const x = scale.place(tick)
    parts.push(path(`M${at(x)} ${top}V${height - 16}`, tick === 1 ? 'axis' : 'grid'))
    parts.push(words(tick === 1 ? chart.line : tickText(tick), { x, y: top - 8, classes: tick === 1 ? 'small middle part' : 'small muted middle' }))
  }
  let y = top
  for (const { name, bars } of chart.sections) {
    parts.push(words(name, { x: 24, y: y + 22, classes: 'part' }), path(`M24 ${y + 29}H${WIDTH - 24}`, 'grid'))
    y += PART
    for (const bar of bars) {
      parts.push(...drawn(bar, scale, y))
      y += ROW
    }
  }
  return picture({ width: WIDTH, height, title: chart.title, description: chart.description }, parts)
}

function drawn ({ label, detail, value, bar, aim, state, figure }: Bar, scale: Scale, y: number): string[] {
  const [line, end] = [scale.place(1), scale.place(value)]
  const [x, width] = [Math.min(line, end), Math.max(1, Math.abs(end - line))]
  const fill = state === 'missed' ? 'hatch' : 'good'
  const marks = [bar, aim].map(mark => mark === undefined || mark === 1 ? undefined : scale.place(mark))
  return [
    words(label, { x: 24, y: y + 16 }),
    words(detail, { x: 24, y: y + 32, classes: 'small muted' }),
    `<rect class="${fill}" x="${at(x)}" y="${y + 9}" width="${at(width)}" height="16"/>`,
    ...marks[0] === undefined ? [] : [path(`M${at(marks[0])} ${y + 4}v26`, 'axis')],
    ...marks[1] === undefined ? [] : [path(`M${at(marks[1])} ${y + 10}l6 7l-6 7l-6 -7z`, 'aim')],
    figureBeside({ figure, line, end, marks }, y),
    ...state === undefined ? [] : [sign(state, { x: RIGHT + 10, y: y + 11 }), words(state === 'aim' ? 'aim reached' : state, { x: RIGHT + 27, y: y + 21, classes: 'small' })]
  ]
}

/** Behind the end of the bar, and behind a mark that it would lie upon. */
function figureBeside ({ figure, line, end, marks }: { figure: string, line: number, end: number, marks: ReadonlyArray<number | undefined> }, y: number): string {
  const way = end < line ? -1 : 1
  const taken = marks.filter(mark => mark !== undefined).map(mark => (mark - end) * way).filter(distance => distance > -8 && distance < 60)
  return words(figure, { x: end + way * (Math.max(0, ...taken) + 9), y: y + 21, classes: way < 0 ? 'small end' : 'small' })
}
