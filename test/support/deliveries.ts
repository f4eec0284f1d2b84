// What was put and what was delivered, and the questions to ask of both: is anything missing, twice, out of order?
import { parentsOf, type Shard } from '../../src/model/shard.ts'

/** One record handed to the code of a user. */
export interface Delivery {
  readonly id: number
  readonly worker: string
  readonly shardId: string
  readonly key: string
  readonly atMs: number
}

interface DeliveredRecord {
  readonly partitionKey: string
  text(): string
}

/** Records are numbered from 0; the payload of each is its number. */
export class DeliveryLedger {
  readonly deliveries: Delivery[] = []
  readonly #keys: string[] = []
  readonly #seen = new Set<number>()

  /** The number of the next record. */
  produce(key: string): number {
    return this.#keys.push(key) - 1
  }

  get produced(): number {
    return this.#keys.length
  }

  get isComplete(): boolean {
    return this.#seen.size === this.#keys.length
  }

  deliver(worker: string, shardId: string, records: readonly DeliveredRecord[], atMs: number): void {
    for (const record of records) {
      const id = Number(record.text())
      this.deliveries.push({ id, worker, shardId, key: record.partitionKey, atMs })
      this.#seen.add(id)
    }
  }

  missing(): number[] {
    return this.#keys.map((_, id) => id).filter(id => !this.#seen.has(id))
  }

  /** Deliveries beyond the first of each record. */
  duplicates(): Delivery[] {
    const seen = new Set<number>()
    return this.deliveries.filter(({ id }) => seen.has(id) || !seen.add(id))
  }

  /** First deliveries that came after a later record of the same key. */
  outOfOrder(): string[] {
    const newest = new Map<string, number>()
    const seen = new Set<number>()
    return this.deliveries.flatMap(({ id, key, shardId }) => {
      if (seen.has(id)) return []
      seen.add(id)
      const before = newest.get(key) ?? -1
      newest.set(key, Math.max(before, id))
      return id < before ? [`${id} of ${key} in ${shardId} after ${before}`] : []
    })
  }

  /** Deliveries of a shard that came before everything in its parents had been delivered. */
  aheadOfParents(shards: readonly Shard[], idsIn: (shardId: string) => readonly number[]): string[] {
    const byId = new Map(shards.map(shard => [shard.shardId, shard]))
    const firstAt = new Map<number, number>()
    for (const [index, { id }] of this.deliveries.entries()) if (!firstAt.has(id)) firstAt.set(id, index)
    return this.deliveries.flatMap(({ id, shardId }, index) => {
      const before = parentsOf(byId.get(shardId) ?? {}).flatMap(parent => (byId.has(parent) ? idsIn(parent) : []))
      const late = before.find(parentId => (firstAt.get(parentId) ?? Number.POSITIVE_INFINITY) > index)
      return late === undefined ? [] : [`${id} in ${shardId} before ${late}`]
    })
  }

  /** The longest time between two deliveries in a row of the same shard, from `fromMs` on. Milliseconds. */
  longestGapMs(fromMs = 0): number {
    const last = new Map<string, number>()
    let longest = 0
    for (const { shardId, atMs } of this.deliveries) {
      if (atMs < fromMs) continue
      longest = Math.max(longest, atMs - (last.get(shardId) ?? atMs))
      last.set(shardId, atMs)
    }
    return longest
  }
}
