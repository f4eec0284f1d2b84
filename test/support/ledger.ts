// Reads the ledgers of worker processes and accounts for every record that was put.
import { readFileSync } from 'node:fs'

interface Given {
  readonly at: bigint
  readonly shardId: string
  readonly records: readonly { readonly key: string; readonly id: number }[]
}

interface Stored {
  readonly at: bigint
  readonly ids: readonly number[]
}

export interface LedgerEntries {
  readonly given: readonly Given[]
  readonly stored: readonly Stored[]
  readonly errors: readonly string[]
}

export interface Account {
  readonly missing: readonly number[]
  readonly duplicates: number
  /** Given again although an earlier checkpoint had already covered it. */
  readonly givenAgainAfterCheckpoint: readonly number[]
  /** First deliveries that came after a later record of the same key. */
  readonly outOfOrder: readonly string[]
  /** Given, and not known to be checkpointed when the last entry of its process was written. */
  readonly neverStored: number
}

/** One process's ledger. A last line that was cut off by SIGKILL is left out. */
export function readLedger(file: string): LedgerEntries {
  const given: Given[] = []
  const stored: Stored[] = []
  const errors: string[] = []
  for (const line of readFileSync(file, 'utf8').split('\n').slice(0, -1)) {
    const entry = JSON.parse(line)
    if (entry.given) {
      const records = entry.given.map(([key, id]: [string, string]) => ({ key, id: Number(id) }))
      given.push({ at: BigInt(entry.at), shardId: entry.shardId, records })
    }
    if (entry.stored) stored.push({ at: BigInt(entry.at), ids: entry.stored.map(Number) })
    if (entry.error) errors.push(`${entry.during}: ${entry.error}`)
  }
  return { given, stored, errors }
}

/** Holds the ledgers of all processes against the records that were put, whose ids are 0 to `produced` - 1. */
export function account(ledgers: readonly LedgerEntries[], produced: number): Account {
  const given = ledgers.flatMap(ledger => ledger.given).sort(byTime)
  const storedAt = new Map<number, bigint>()
  for (const { at, ids } of ledgers.flatMap(ledger => ledger.stored).sort(byTime)) {
    for (const id of ids) if (!storedAt.has(id)) storedAt.set(id, at)
  }
  const seen = new Set<number>()
  const newestOfKey = new Map<string, number>()
  const outOfOrder: string[] = []
  const givenAgainAfterCheckpoint: number[] = []
  let duplicates = 0
  for (const { at, records } of given) {
    for (const { key, id } of records) {
      if (seen.has(id)) {
        duplicates += 1
        const checkpointAt = storedAt.get(id)
        if (checkpointAt !== undefined && checkpointAt < at) givenAgainAfterCheckpoint.push(id)
        continue
      }
      seen.add(id)
      const newest = newestOfKey.get(key) ?? -1
      if (id < newest) outOfOrder.push(`${id} of ${key} after ${newest}`)
      newestOfKey.set(key, Math.max(newest, id))
    }
  }
  const missing = Array.from({ length: produced }, (_, id) => id).filter(id => !seen.has(id))
  const neverStored = ledgers.reduce((sum, ledger) => sum + unstoredIn(ledger), 0)
  return { missing, duplicates, givenAgainAfterCheckpoint, outOfOrder, neverStored }
}

/** Records a process was given without having noted their checkpoint afterwards. */
function unstoredIn({ given, stored }: LedgerEntries): number {
  const ids = new Set(stored.flatMap(entry => entry.ids))
  return given.flatMap(entry => entry.records).filter(record => !ids.has(record.id)).length
}

function byTime(a: { readonly at: bigint }, b: { readonly at: bigint }): number {
  return a.at < b.at ? -1 : a.at > b.at ? 1 : 0
}
