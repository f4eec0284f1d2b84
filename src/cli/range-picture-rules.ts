// The hash keys of a stream as a bar: which worker reads which part of them.
import type { LeaseStatus, WorkerStatus } from '../operate/status-rules.ts'

/** A part of the bar. */
export interface RangePart {
  /** How many columns. */
  readonly columns: number
  /** `reads`: a worker does; `free`: nobody does for now; `red`: nobody does, and should; `hole`: there is no lease. */
  readonly kind: 'reads' | 'free' | 'red' | 'hole'
  /** The letter of the worker, where one reads. */
  readonly letter: string
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const ALL = 2n ** 128n

/** A letter for each worker, in their order; with more workers than letters they repeat. */
export function lettersOf(workers: readonly Pick<WorkerStatus, 'workerId' | 'session'>[]): ReadonlyMap<string, string> {
  return new Map(workers.map(({ session, workerId }, n) => [session ?? workerId, LETTERS[n % LETTERS.length] ?? '?']))
}

/** The bar, of `width` columns. Where a column has several shards, it is that in its middle; a red one anywhere in it wins. */
export function rangePicture(
  leases: readonly LeaseStatus[],
  letters: ReadonlyMap<string, string>,
  width: number
): RangePart[] {
  const ranges = leases
    .filter(({ state, hashKeyRange }) => state !== 'finished' && hashKeyRange !== undefined)
    .map(lease => ({ lease, start: BigInt(lease.hashKeyRange?.start ?? 0), end: BigInt(lease.hashKeyRange?.end ?? 0) }))
    // Of a parent that is read to its end and children that wait for it, the parent.
    .sort((a, b) => Number(a.lease.state === 'waiting') - Number(b.lease.state === 'waiting'))
  const parts: RangePart[] = []
  for (let column = 0; column < width; column++) {
    const from = (ALL * BigInt(column)) / BigInt(width)
    const to = (ALL * BigInt(column + 1)) / BigInt(width) - 1n
    const middle = (from + to) / 2n
    const red = ranges.find(({ lease, start, end }) => lease.color === 'red' && start <= to && end >= from)
    const here = red ?? ranges.find(({ start, end }) => start <= middle && middle <= end)
    const part = partOf(here?.lease, letters)
    const last = parts.at(-1)
    if (last !== undefined && last.kind === part.kind && last.letter === part.letter) {
      parts[parts.length - 1] = { ...last, columns: last.columns + 1 }
    } else parts.push(part)
  }
  return parts
}

function partOf(lease: LeaseStatus | undefined, letters: ReadonlyMap<string, string>): RangePart {
  if (lease === undefined) return { columns: 1, kind: 'hole', letter: ' ' }
  const letter = letters.get(lease.owner ?? '')
  if (lease.color === 'red') return { columns: 1, kind: 'red', letter: '!' }
  if (letter === undefined) return { columns: 1, kind: 'free', letter: '·' }
  return { columns: 1, kind: 'reads', letter }
}
