/** More slips than this and it is another word. */
const MAX_SLIPS = 2

/** The known word that was probably meant; null when none is close. */
export function nearest (word: string, known: readonly string[]): string | null {
  const ranked = known.map(name => ({ name, slips: name.startsWith(word) && word.length > 1 ? 0 : slips(word, name) }))
  ranked.sort((a, b) => a.slips - b.slips)
  const [best] = ranked
  return best !== undefined && best.slips <= Math.min(MAX_SLIPS, best.name.length - 2) ? best.name : null
}

/** Letters to insert, drop, replace or swap with their neighbour to get from one word to the other. */
function slips (a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let least = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, rows[i - 2]![j - 2]! + 1)
      row.push(least)
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
