import { catalogue, type Retry } from '../src/errors.ts'

const words: Record<Retry, string> = {
  never: 'no',
  same: 'yes, same id',
  login: 'once, with a new token',
  resync: 'from the given checkpoint',
  split: 'in smaller parts'
}

function cell (text: string): string {
  return text.replaceAll('|', '\\|')
}

function table (condemnsChange: boolean): string {
  const rows = Object.entries(catalogue).filter(([, { status }]) => (status === 0) === condemnsChange)
  const head = condemnsChange
    ? '| code | what is wrong | what to do |\n| --- | --- | --- |'
    : '| status | code | what is wrong | send again? | what to do |\n| --- | --- | --- | --- | --- |'
  return [head, ...rows.map(([code, { status, retry, message, next }]) => condemnsChange
    ? `| \`${code}\` | ${cell(message)} | ${cell(next)} |`
    : `| ${status} | \`${code}\` | ${cell(message)} | ${words[retry]} | ${cell(next)} |`)].join('\n')
}

/** The README's error section as the catalogue has it. */
export function errorTable (): string {
  return `The whole message is refused:\n\n${table(false)}\n\nOne change is refused, the others of its push go on (\`results[].error.code\`):\n\n${table(true)}`
}
