// Where the story takes place: a stream, two tables, a producer, the fleet, and what it takes to wait for something to happen.
import { type KinesisClient, ListShardsCommand } from '@aws-sdk/client-kinesis'
import { systemClock } from '../../src/runtime/clock.ts'
import type { Random } from '../../src/runtime/random.ts'
import { openShards, Producer, reshard } from '../simulation/wire-chaos-traffic.ts'
import type { CheckpointWatch } from './checkpoint-watch.ts'
import type { Fleet } from './fleet.ts'
import type { Kind } from './ledgers.ts'
import type { Lineage } from './verdict.ts'

const POLL_MS = 500
const RATE = 40

/** What the chapters of the story have in common. */
export interface StageOptions {
  readonly client: KinesisClient
  readonly stream: string
  readonly shards: number
  readonly fleet: Fleet
  readonly watch: CheckpointWatch
  readonly random: Random
  readonly say: (what: string) => void
}

export class Stage {
  readonly fleet: Fleet
  readonly watch: CheckpointWatch
  readonly random: Random
  readonly say: (what: string) => void
  readonly producer: Producer
  /** What took longer than it may. */
  readonly late: string[] = []
  /** How many splits and merges there were. */
  reshards = 0
  readonly #client: KinesisClient
  readonly #stream: string

  constructor({ client, stream, shards, fleet, watch, random, say }: StageOptions) {
    this.#client = client
    this.#stream = stream
    this.fleet = fleet
    this.watch = watch
    this.random = random
    this.say = say
    this.producer = new Producer(random, shards)
  }

  startProducing(): void {
    this.producer.start(this.#client, this.#stream, RATE)
  }

  /** Splits a shard or merges two, in turn. */
  async reshard(): Promise<void> {
    this.say(await reshard(this.#client, this.#stream, this.reshards, this.random))
    this.reshards += 1
  }

  async openShardIds(): Promise<string[]> {
    return (await openShards(this.#client, this.#stream)).map(({ id }) => id)
  }

  /** The parents of each shard. */
  async lineage(): Promise<Lineage> {
    const { Shards = [] } = await this.#client.send(new ListShardsCommand({ StreamName: this.#stream }))
    return new Map(
      Shards.map(({ ShardId = '', ParentShardId, AdjacentParentShardId }) => [
        ShardId,
        [ParentShardId, AdjacentParentShardId].flatMap(parent => parent ?? [])
      ])
    )
  }

  /** Resolves when every open shard has been read from now on by a worker that is able to. */
  async untilAllRead(withinMs: number, by?: Kind): Promise<boolean> {
    const sinceMs = nowMs()
    const open = await this.openShardIds()
    const whose = by === undefined ? '' : by === 'java' ? ' by Java' : ' by ours'
    return await this.until(`all ${open.length} shards are read${whose}`, withinMs, () => {
      const able = new Set(this.fleet.able(by))
      const read = new Set<string>()
      for (const { shardId, given, worker, atMs } of this.fleet.ledgers.notes) {
        if (given !== undefined && shardId !== undefined && atMs > sinceMs && able.has(worker)) read.add(shardId)
      }
      return open.every(id => read.has(id))
    })
  }

  /** Resolves when a worker has been given records. */
  async untilReads(worker: string, withinMs: number): Promise<boolean> {
    return await this.until(`${worker} reads`, withinMs, () =>
      this.fleet.ledgers.notes.some(note => note.worker === worker && note.given !== undefined)
    )
  }

  /** Resolves when every record that was put has been given to somebody. */
  async untilDelivered(withinMs: number): Promise<boolean> {
    return await this.until('every record is processed', withinMs, () => {
      const ids = new Set<number>()
      for (const { given } of this.fleet.ledgers.notes) for (const { id } of given ?? []) ids.add(id)
      return ids.size >= this.producer.produced
    })
  }

  /** Waits until something is so, and says how long that took. False: it is not, and that is written down. */
  async until(what: string, withinMs: number, isSo: () => boolean): Promise<boolean> {
    const startMs = nowMs()
    for (;;) {
      await systemClock.sleep(POLL_MS)
      this.fleet.ledgers.read()
      const tookMs = nowMs() - startMs
      if (isSo()) {
        this.say(`        ${what}, after ${(tookMs / 1_000).toFixed(1)} s`)
        return true
      }
      if (tookMs <= withinMs) continue
      this.late.push(`Not within ${withinMs / 1_000} s: ${what}. ${this.leasesInWords()}`)
      this.say(this.late.at(-1) ?? '')
      return false
    }
  }

  /** Who has which lease. */
  leasesInWords(): string {
    return [...this.watch.leases]
      .filter(
        ([
          ,
          {
            checkpoint: [sequenceNumber]
          }
        ]) => sequenceNumber !== 'SHARD_END'
      )
      .map(([key, { owner = 'nobody', checkpointOwner }]) => {
        return `${key.slice(-2)}:${owner}${checkpointOwner === undefined ? '' : ` (from ${checkpointOwner})`}`
      })
      .join(' ')
  }
}

/** By the clock that the ledgers have. Monotonic milliseconds. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
