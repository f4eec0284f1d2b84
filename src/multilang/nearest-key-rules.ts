// Which key somebody may have meant who wrote one that there is none of.
import { KCL_ROWS, OWN_ROWS } from './property-table.ts'

/** The known key that one resembles most, if it is near enough to be meant: in other case, or with up to three letters changed. */
export function nearestKey(key: string): string | undefined {
  const known = [...KCL_ROWS, ...OWN_ROWS].map(row => row.key)
  const lower = key.toLowerCase()
  const distances = known.map(candidate => ({ candidate, distance: editDistance(lower, candidate.toLowerCase()) }))
  const [first] = distances.toSorted((a, b) => a.distance - b.distance)
  const limit = Math.min(3, Math.floor(key.length / 3))
  return first !== undefined && first.distance <= limit ? first.candidate : undefined
}

/** How many letters have to be put in, left out or exchanged. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [row, letter] of [...a].entries()) {
    const current = [row + 1]
    for (const [column, other] of [...b].entries()) {
      const exchanged = (previous[column] ?? 0) + (letter === other ? 0 : 1)
      current.push(Math.min(exchanged, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1))
    }
    previous = current
  }
  return previous.at(-1) ?? 0
}
