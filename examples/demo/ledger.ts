// What a worker process has processed, one row a record, in a file that outlives it. A row is written with one write()
// after the work and before the checkpoint, so that a process killed at any moment has neither lost nor made up anything.
import { openSync, readFileSync, writeSync } from 'node:fs'
import type { LoggedRequest } from './access-log.ts'

/** One processed record. */
export interface LedgerRow extends LoggedRequest {
  /** When it was processed: process.hrtime, which all processes of a machine share. Nanoseconds, in decimal digits. */
  readonly at: string
  /** Number of the line in the file. */
  readonly line: number
}

/** Opens a ledger and returns what appends rows to it. */
export function openLedger(file: string): (rows: readonly LedgerRow[]) => void {
  const descriptor = openSync(file, 'a')
  return rows => {
    writeSync(descriptor, rows.map(row => `${JSON.stringify(row)}\n`).join(''))
  }
}

/** The rows of a ledger. A last one that was cut off by SIGKILL never counted: no checkpoint followed it. */
export function readLedger(file: string): LedgerRow[] {
  const rows = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return rows.map(row => JSON.parse(row) as LedgerRow)
}
