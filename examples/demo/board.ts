// What is known about the demo while it runs: shards, workers, and what happened. Knows nothing of how it is shown.
import { PathCounts } from './access-log.ts'
import type { WorkerMessage } from './messages.ts'
import type { ListedShard } from './stream.ts'

export type ShardState = 'waiting' | 'starting' | 'reading' | 'handing over' | 'free' | 'orphaned' | 'ended'

export interface ShardRow {
  readonly shardId: string
  readonly parentIds: readonly string[]
  owner: string | undefined
  state: ShardState
  /** Lines put into it, and those of them that were processed. */
  put: number
  processed: number
}

export interface WorkerRow {
  readonly workerId: string
  state: 'starting' | 'running' | 'killed' | 'stopping' | 'stopped'
  processed: number
  /** When it reported work the last time, on the clock of `performance.now()`. */
  lastReportMs: number
  /** How many records of the batch it then worked on were still to come. */
  leftInBatch: number
}

export interface Happening {
  readonly atMs: number
  readonly tone: 'operator' | 'alarm' | 'worker'
  readonly workerId?: string
  readonly text: string
}

/** A shard that a killed worker held, and how long it waited for the next one. */
export interface Takeover {
  readonly shardId: string
  readonly from: string
  readonly killedAtNs: bigint
  by?: string
  waitedMs?: number
}

/** Number of a shard: the digits at the end of its id. */
export function shardNumber(shardId: string): number {
  return Number(shardId.slice(shardId.lastIndexOf('-') + 1))
}

export class Board {
  readonly total: number
  readonly shards = new Map<string, ShardRow>()
  readonly workers = new Map<string, WorkerRow>()
  readonly happenings: Happening[] = []
  readonly takeovers: Takeover[] = []
  readonly counts = new PathCounts()
  put = 0
  #delivered = new Set<number>()
  #startedMs = performance.now()

  constructor(total: number) {
    this.total = total
  }

  /** Lines that were processed at least once, as far as was reported. */
  get processed(): number {
    return this.#delivered.size
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedMs
  }

  /** Shard rows in the order of their numbers. */
  get rows(): ShardRow[] {
    return [...this.shards.values()].sort((a, b) => shardNumber(a.shardId) - shardNumber(b.shardId))
  }

  heldBy(workerId: string): ShardRow[] {
    return this.rows.filter(shard => shard.owner === workerId && shard.state !== 'orphaned')
  }

  noteShards(listed: readonly ListedShard[]): void {
    for (const { shardId, parentIds } of listed) this.#shard(shardId, parentIds)
  }

  notePut(shardId: string, lines: number): void {
    this.#shard(shardId).put += lines
    this.put += lines
  }

  noteOperator(text: string): void {
    this.#happened({ tone: 'operator', text })
  }

  noteWorker(workerId: string, state: WorkerRow['state']): void {
    const worker = this.#worker(workerId)
    if (worker.state !== state) worker.state = state
    if (state === 'starting') this.#happened({ tone: 'operator', workerId, text: 'is started as a process of its own' })
  }

  noteKilled(workerId: string): void {
    this.#worker(workerId).state = 'killed'
    const held = this.heldBy(workerId)
    const killedAtNs = process.hrtime.bigint()
    for (const shard of held) {
      shard.state = 'orphaned'
      this.takeovers.push({ shardId: shard.shardId, from: workerId, killedAtNs })
    }
    const numbers = held.map(({ shardId }) => shardNumber(shardId)).join(', ')
    this.#happened({
      tone: 'alarm',
      workerId,
      text: `is killed (SIGKILL) while it holds ${plural(held.length)} ${numbers}`
    })
  }

  /** Takes in what a worker process says. */
  noteMessage(workerId: string, message: WorkerMessage): void {
    if (message.kind === 'started') this.noteWorker(workerId, 'running')
    if (message.kind === 'problem') this.#happened({ tone: 'alarm', workerId, text: message.text })
    if (message.kind === 'processed') this.#noteProcessed(workerId, message)
    if (message.kind === 'event') this.#noteEvent(workerId, message)
  }

  #noteProcessed(workerId: string, { shardId, rows, left }: Extract<WorkerMessage, { kind: 'processed' }>): void {
    const worker = this.#worker(workerId)
    worker.processed += rows.length
    worker.lastReportMs = performance.now()
    worker.leftInBatch = left
    for (const row of rows) {
      if (this.#delivered.has(row.line)) continue
      this.#delivered.add(row.line)
      this.#shard(shardId).processed += 1
      this.counts.add(row)
    }
  }

  #noteEvent(workerId: string, event: Extract<WorkerMessage, { kind: 'event' }>): void {
    const { name, shardId, why } = event
    const shard = this.#shard(shardId)
    const number = shardNumber(shardId)
    const say = (text: string): void => this.#happened({ tone: 'worker', workerId, text })
    if (name === 'lease:taken') {
      shard.owner = workerId
      shard.state = 'starting'
      const waited = this.#noteTakeover(workerId, shardId, BigInt(event.atNs))
      say(`takes shard ${number}${waited ?? ` (${why})`}`)
      return
    }
    // The messages of two processes may arrive in another order than they were sent.
    if (shard.owner !== workerId) return
    if (name === 'shard:started') shard.state = 'reading'
    if (name === 'lease:revoked') shard.state = 'handing over'
    if (name === 'lease:lost') say(`loses shard ${number}: ${why}`)
    if (name === 'lease:released' && shard.state === 'handing over') say(`hands over shard ${number}`)
    if (name === 'shard:ended') {
      shard.state = 'ended'
      say(`finishes shard ${number}`)
    }
    if ((name === 'lease:lost' || name === 'lease:released') && shard.state !== 'ended') shard.state = 'free'
    if (shard.state === 'ended' || shard.state === 'free') shard.owner = undefined
  }

  #noteTakeover(workerId: string, shardId: string, atNs: bigint): string | undefined {
    const takeover = this.takeovers.find(it => it.shardId === shardId && it.waitedMs === undefined)
    if (takeover === undefined || takeover.from === workerId) return undefined
    takeover.by = workerId
    takeover.waitedMs = Math.round(Number(atNs - takeover.killedAtNs) / 1e6)
    return ` of ${takeover.from}, ${(takeover.waitedMs / 1000).toFixed(1)} s after the kill`
  }

  #shard(shardId: string, parentIds: readonly string[] = []): ShardRow {
    let shard = this.shards.get(shardId)
    if (shard === undefined) {
      shard = { shardId, parentIds, owner: undefined, state: 'waiting', put: 0, processed: 0 }
      this.shards.set(shardId, shard)
    }
    return shard
  }

  #worker(workerId: string): WorkerRow {
    let worker = this.workers.get(workerId)
    if (worker === undefined) {
      worker = { workerId, state: 'starting', processed: 0, lastReportMs: 0, leftInBatch: 0 }
      this.workers.set(workerId, worker)
    }
    return worker
  }

  #happened(what: Omit<Happening, 'atMs'>): void {
    const text = what.text.trim().replaceAll(/\s+/g, ' ') // the message of an error may have several lines
    this.happenings.push({ ...what, atMs: this.elapsedMs, text })
  }
}

function plural(shards: number): string {
  return shards === 1 ? 'shard' : 'shards'
}
