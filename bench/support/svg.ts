/** Pictures that need nothing but themselves: text is text, no fonts or scripts from elsewhere, light and dark. */

export interface Picture {
  readonly width: number
  readonly height: number
  readonly title: string
  /** What the picture shows, for those who do not see it. */
  readonly description: string
}

/** Colours of one mode. What they say is also said by shape, place or words. */
interface Palette { readonly ground: string, readonly text: string, readonly muted: string, readonly grid: string, readonly good: string, readonly bad: string }

const light: Palette = { ground: '#ffffff', text: '#1f2328', muted: '#59636e', grid: '#d8dee4', good: '#0969da', bad: '#bc4c00' }
const dark: Palette = { ground: '#0d1117', text: '#f0f6fc', muted: '#9198a1', grid: '#30363d', good: '#4493f8', bad: '#f0883e' }

function rules ({ ground, text, muted, grid, good, bad }: Palette): string {
  return `.ground{fill:${ground};stroke:${grid}}text{fill:${text}}.muted{fill:${muted}}.good{fill:${good}}.bad{fill:${bad}}` +
    `.grid{stroke:${grid}}.axis{stroke:${text}}.line{stroke:${good}}.line.bad{stroke:${bad};fill:none}.hatch{fill:url(#hatch);stroke:${bad}}` +
    `.stripe{stroke:${bad}}.aim{stroke:${text};fill:${ground}}.sign{stroke:${good}}.sign.bad{stroke:${bad};fill:none}`
}

const style = 'text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}.title{font-size:17px;font-weight:600}.part{font-weight:600}' +
  '.small{font-size:11.5px}.end{text-anchor:end}.middle{text-anchor:middle}.grid,.axis{fill:none;shape-rendering:crispEdges}.line,.sign{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}' +
  `.stripe{stroke-width:3}${rules(light)}@media (prefers-color-scheme:dark){${rules(dark)}}`

export function escaped (text: string): string {
  return text.replace(/[&<>"]/g, character => `&#${character.charCodeAt(0)};`)
}

export function picture ({ width, height, title, description }: Picture, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title description">
<title id="title">${escaped(title)}</title>
<desc id="description">${escaped(description)}</desc>
<style>${style}</style>
<defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="stripe" d="M0 0V7"/></pattern></defs>
<rect class="ground" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>
${parts.join('\n')}
</svg>
`
}

/** A number as SVG takes it. */
export const at = (value: number): string => String(Math.round(value * 10) / 10)

/** @param y of the line the text stands on */
export function words (text: string, { x, y, classes = '' }: { x: number, y: number, classes?: string }): string {
  return `<text x="${at(x)}" y="${at(y)}"${classes === '' ? '' : ` class="${classes}"`}>${escaped(text)}</text>`
}

export function path (d: string, classes: string): string {
  return `<path class="${classes}" d="${d}"/>`
}

/** A tick, two of them where more than enough was reached, or a cross: 10 wide, 9 high. */
export function sign (kind: 'missed' | 'met' | 'aim', { x, y }: { x: number, y: number }): string {
  if (kind === 'missed') return path(`M${at(x)} ${at(y)}l8 8m0 -8l-8 8`, 'sign bad')
  const tick = (from: number): string => `M${at(from)} ${at(y + 5)}l3 3l6 -8`
  return path(kind === 'aim' ? tick(x - 2) + tick(x + 4) : tick(x), 'sign')
}
