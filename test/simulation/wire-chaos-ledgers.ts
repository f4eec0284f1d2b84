// What the worker processes of a chaos run wrote down: deliveries and checkpoints as every ledger has them, and beside them
// what became of their leases and sessions.
import { readFileSync } from 'node:fs'
import { type LedgerEntries, readLedger } from '../support/ledger.ts'

/** Something that a worker told about a lease or about itself. */
export interface LifeNote {
  readonly atMs: number
  readonly worker: string
  readonly session: string | undefined
  readonly event: string
  /** Of an event that has to do with a lease. */
  readonly shardId: string | undefined
  /** A detail of the event. */
  readonly why: string | undefined
}

/** Everything that one worker process wrote down. */
export interface WorkerLedger {
  readonly worker: string
  readonly entries: LedgerEntries
  readonly life: readonly LifeNote[]
}

/** When an entry of a ledger was written, by the clock that all processes of the machine share. Monotonic milliseconds. */
export function toMs(at: bigint | string): number {
  return Number(at) / 1e6
}

/** Reads the ledger of one worker process. A last line that was cut off by SIGKILL is left out. */
export function readWorkerLedger(worker: string, file: string): WorkerLedger {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  const life = lines
    .filter(line => line.includes('"event":'))
    .map((line): LifeNote => {
      const { at, session, event, shardId, why } = JSON.parse(line)
      return { atMs: toMs(at), worker, session, event, shardId, why }
    })
  return { worker, entries: readLedger(file), life }
}
