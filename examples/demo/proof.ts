// Holds the ledgers of all worker processes against the file. Rules:
//  - a line's first delivery is the earliest row with its number in any ledger; every later one is a duplicate;
//  - a first delivery is out of order if an earlier line of the same client address had not been delivered yet;
//  - requests, bytes and errors are counted over first deliveries, as the workers read them from what they were given.
import { type LogLine, PathCounts, parseRequest } from './access-log.ts'
import type { LedgerRow } from './ledger.ts'

export interface Proof {
  readonly produced: number
  /** Different lines that were processed. */
  readonly processed: number
  readonly missing: readonly number[]
  /** Rows in the ledgers with numbers that no line has. */
  readonly unknown: readonly number[]
  readonly outOfOrder: readonly number[]
  readonly duplicates: readonly Duplicate[]
  readonly counted: PathCounts
  /** Paths whose counts are not those of the file. */
  readonly wrongPaths: readonly string[]
}

export interface Duplicate {
  readonly line: number
  /** Who processed it before. */
  readonly firstBy: string
}

/** Whether nothing is missing, out of order or counted wrongly. Duplicates are what at-least-once allows. */
export function holds({ missing, unknown, outOfOrder, wrongPaths }: Proof): boolean {
  return missing.length + unknown.length + outOfOrder.length + wrongPaths.length === 0
}

/** @param ledgers the rows of each worker, in the order they were written */
export function prove(produced: readonly LogLine[], ledgers: ReadonlyMap<string, readonly LedgerRow[]>): Proof {
  const rows = inOrderOfTime(ledgers)
  const lines = new Map(produced.map(line => [line.number, line]))
  const waiting = numbersByAddress(produced)
  const firstBy = new Map<number, string>()
  const unknown: number[] = []
  const outOfOrder: number[] = []
  const duplicates: Duplicate[] = []
  const counted = new PathCounts()
  for (const row of rows) {
    const before = firstBy.get(row.line)
    const line = lines.get(row.line)
    if (line === undefined) unknown.push(row.line)
    else if (before !== undefined) duplicates.push({ line: row.line, firstBy: before })
    else {
      firstBy.set(row.line, row.workerId)
      counted.add(row)
      const ofAddress = waiting.get(line.address) ?? new Set()
      const [smallest] = ofAddress
      if (smallest !== row.line) outOfOrder.push(row.line)
      ofAddress.delete(row.line)
    }
  }
  return {
    produced: produced.length,
    processed: firstBy.size,
    missing: produced.map(({ number }) => number).filter(number => !firstBy.has(number)),
    unknown,
    outOfOrder,
    duplicates,
    counted,
    wrongPaths: counted.differencesFrom(countDirectly(produced))
  }
}

function inOrderOfTime(ledgers: ReadonlyMap<string, readonly LedgerRow[]>): (LedgerRow & { workerId: string })[] {
  const rows = [...ledgers].flatMap(([workerId, ofWorker]) => ofWorker.map(row => ({ ...row, workerId })))
  // The sort is stable: rows of one ledger at the same nanosecond stay as they were written.
  return rows.sort((a, b) => Number(BigInt(a.at) - BigInt(b.at)))
}

/** The numbers of the lines of each address, smallest first. */
function numbersByAddress(lines: readonly LogLine[]): Map<string, Set<number>> {
  const numbers = new Map<string, Set<number>>()
  for (const { address, number } of lines) {
    const ofAddress = numbers.get(address) ?? new Set()
    numbers.set(address, ofAddress.add(number))
  }
  return numbers
}

function countDirectly(lines: readonly LogLine[]): PathCounts {
  const counts = new PathCounts()
  for (const { text } of lines) counts.add(parseRequest(text))
  return counts
}
