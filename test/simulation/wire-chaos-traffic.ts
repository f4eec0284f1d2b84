// What goes on in the stream during a chaos run: numbered records with keys at a steady rate, and a split or a merge now
// and then.
import { type KinesisClient, ListShardsCommand } from '@aws-sdk/client-kinesis'
import { aggregate } from '../../src/kpl/aggregate.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import type { Random } from '../../src/runtime/random.ts'
import { mergeShards, putRecords, type RecordToPut, splitShard } from '../support/streams.ts'

const TICK_MS = 100
const KEYS_A_SHARD = 10
const MAX_AGGREGATED = 6

/** Puts records until stopped: one half plain, one half aggregated by key. The data of each is its number, from 0. */
export class Producer {
  /** How many records there are in the stream. */
  produced = 0
  readonly #stop = new AbortController()
  readonly #random: Random
  readonly #keys: number
  #done: Promise<void> = Promise.resolve()

  constructor(random: Random, shards: number) {
    this.#random = random
    this.#keys = shards * KEYS_A_SHARD
  }

  /** @param client must not try again what may have landed, or a record would be in the stream twice */
  start(client: KinesisClient, streamName: string, perSecond: number): void {
    this.#done = this.#run(client, streamName, perSecond)
  }

  /** Resolves when nothing is put any more; rejects if anything could not be put. */
  get done(): Promise<void> {
    return this.#done
  }

  /** Stops, and resolves or rejects like {@link done}. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#done
  }

  async #run(client: KinesisClient, streamName: string, perSecond: number): Promise<void> {
    const startMs = systemClock.monotonicMs()
    while (!this.#stop.signal.aborted) {
      const due = ((systemClock.monotonicMs() - startMs) / 1_000) * perSecond
      const records: RecordToPut[] = []
      // One call at a time, so that the records of a key are in the stream in the order of their numbers.
      let numbered = this.produced
      while (numbered < due && records.length < 500) {
        const users = this.#sameKey(numbered)
        numbered += users.length
        const [plain] = users
        records.push(users.length === 1 && plain !== undefined ? plain : aggregate(users))
      }
      if (records.length > 0) await putRecords(client, streamName, records)
      this.produced = numbered
      await systemClock.sleep(TICK_MS, this.#stop.signal)
    }
  }

  #sameKey(from: number): { partitionKey: string; data: Uint8Array }[] {
    const partitionKey = `key-${Math.floor(this.#random.next() * this.#keys)}`
    const count = this.#random.next() < 0.5 ? 1 : 2 + Math.floor(this.#random.next() * (MAX_AGGREGATED - 1))
    return Array.from({ length: count }, (_, i) => ({
      partitionKey,
      data: new TextEncoder().encode(String(from + i))
    }))
  }
}

/** Splits the widest open shard, or merges two neighbours, in turn. Resolves with what was done, in words. */
export async function reshard(
  client: KinesisClient,
  streamName: string,
  turn: number,
  random: Random
): Promise<string> {
  const open = await openShards(client, streamName)
  if (turn % 2 === 0) {
    const { id, start, end } = open.reduce((a, b) => (b.end - b.start > a.end - a.start ? b : a))
    await splitShard(client, streamName, id, String((start + end) / 2n))
    return `split of ${id}`
  }
  const at = Math.floor(random.next() * (open.length - 1))
  const [left, right] = open.slice(at)
  if (left === undefined || right === undefined) return 'nothing to merge'
  await mergeShards(client, streamName, left.id, right.id)
  return `merge of ${left.id} and ${right.id}`
}

/** The shards that take records, by their place in the hash space. */
export async function openShards(
  client: KinesisClient,
  streamName: string
): Promise<{ id: string; start: bigint; end: bigint }[]> {
  const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName: streamName }))
  return Shards.filter(shard => shard.SequenceNumberRange?.EndingSequenceNumber === undefined)
    .map(shard => ({
      id: shard.ShardId ?? '',
      start: BigInt(shard.HashKeyRange?.StartingHashKey ?? 0),
      end: BigInt(shard.HashKeyRange?.EndingHashKey ?? 0)
    }))
    .sort((a, b) => (a.start < b.start ? -1 : 1))
}
