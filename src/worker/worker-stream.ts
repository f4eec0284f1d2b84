// What belongs to one stream that a worker reads: what it is called, its ports, the comparison of its shards with their
// leases, how its shards are read, and the user's code for it. Leases, memory and the fleet are the worker's.
import type { FanOutPort } from '../kinesis/fan-out-port.ts'
import type { KinesisPort } from '../kinesis/kinesis-port.ts'
import type { ShardTracing } from '../kinesis/traced-ports.ts'
import type { StreamNames } from '../model/stream-id.ts'
import type { ByteBudget } from '../retrieval/byte-budget.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { ShardSyncer, type ShardSyncerOptions } from '../shards/shard-syncer.ts'
import type { ResolvedOptions } from './options.ts'
import { ShardRetrievers } from './shard-retrievers.ts'
import { givenName, type StreamSettings } from './stream-options.ts'

/** The doors to one stream. */
export interface StreamPorts {
  readonly kinesis: KinesisPort
  /** Absent where records are polled. */
  readonly fanOut: FanOutPort | undefined
  /** Says how many shards are read, so that there are connections for them and not many more. */
  readonly expectShards: (count: number) => void
  /** Lets go of what was made for it. */
  readonly close: () => void
}

/** What a stream is made of. */
export interface WorkerStreamParts {
  readonly settings: StreamSettings
  readonly ports: StreamPorts
  readonly options: Pick<ResolvedOptions, 'retrieval' | 'tracing' | 'applicationName' | 'workerId'>
  /** How its shards are compared with the lease table. */
  readonly syncing: Omit<ShardSyncerOptions, 'kinesis' | 'startAt' | 'mayBegin' | 'clock' | 'random'>
  readonly budget: ByteBudget
  readonly clock: Clock
  readonly random: Random
}

/** One stream of a worker. Nothing is called before its syncer is asked for something, or a retriever. */
export class WorkerStream {
  readonly ports: StreamPorts
  readonly syncer: ShardSyncer
  readonly retrievers: ShardRetrievers
  /** Where the spans of a shard go, and what they are about. `undefined`: nobody wants any. */
  readonly tracingOf: ((shardId: string) => ShardTracing) | undefined
  /** Of several: whether it was ever found here. */
  hasAnswered = false
  /** Of several: whether it is to be begun if no lease is of it. */
  mayBegin = true
  #settings: StreamSettings

  constructor(parts: WorkerStreamParts) {
    const { settings, ports, options, syncing, budget, clock, random } = parts
    const { startAt, consumer } = settings
    const { kinesis, fanOut } = ports
    this.#settings = settings
    this.ports = ports
    this.tracingOf = tracingOf(options, kinesis.streamName)
    this.syncer = new ShardSyncer({ ...syncing, kinesis, startAt, mayBegin: () => this.mayBegin, clock, random })
    const retrieval = { ...options.retrieval, consumer }
    const reading = { retrieval, startAt, kinesis, fanOut, tracingOf: this.tracingOf }
    this.retrievers = new ShardRetrievers({ ...reading, budget, clock, random })
  }

  /** What it is processed with, from the next consumer of a shard on. */
  get settings(): StreamSettings {
    return this.#settings
  }

  /** Of several: what the list says of it from now on. How it is reached, and where its shards begin, stays as it was. */
  take({ code }: StreamSettings): void {
    this.#settings = { ...this.#settings, code }
  }

  /** Its name, and its ARN, which is known once it is found: before that, and in no lease, it is empty. */
  get names(): StreamNames {
    const { stream } = this.settings
    const given = 'streamArn' in stream ? stream.streamArn : ''
    return { streamName: this.ports.kinesis.streamName, streamArn: this.syncer.stream?.streamArn ?? given }
  }

  /** What dead letters say it is: the ARN or the name that it was given by. */
  get reference(): string {
    return givenName(this.settings.stream)
  }

  /** Ends what is still being asked for, and lets go of the ports. */
  close(): void {
    this.retrievers.close()
    this.ports.close()
  }
}

function tracingOf(
  { tracing, applicationName: application, workerId: worker }: WorkerStreamParts['options'],
  stream: string
): WorkerStream['tracingOf'] {
  return tracing && (shardId => ({ to: tracing, facts: { application, stream, worker, shardId } }))
}
