// What takes part in the comparison, and how: anything that can be started on a stream and asked how far it has got.
import type { PayloadName } from '../source/payloads.ts'
import type { ContenderSample } from './meter.ts'

/** What a contender is to read. */
export interface Load {
  readonly payload: PayloadName
  /** Endpoint of the source over HTTP/1.1. */
  readonly http1: string
  /** The same over HTTP/2 without TLS. */
  readonly http2: string
  /** Shards that the limits of Kinesis leave enough room with. A contender that keeps no limits may read fewer. */
  readonly shards: number
  /** Endpoint of DynamoDB, for those who need one. */
  readonly dynamodb?: string
  /** Folder of the build of Millrace, relative to the repository. */
  readonly library: string
  /** Whether to watch the event loop, which keeps it busy. */
  readonly watchesLoop?: boolean
}

/** A contender that reads. */
export interface RunningContender {
  sample(): Promise<ContenderSample>
  /** How long each answer blocked the event loop. Milliseconds; empty where that is not watched. */
  takeBlocks(): Promise<number[]>
  end(): Promise<void>
}

/** Something that reads a stream and touches every user record. */
export interface Contender {
  readonly name: string
  /** What it is, in a few words. */
  readonly title: string
  /** Whether it is part of the ratios, and so measured in every round. Otherwise it is there for orientation. */
  readonly decides: boolean
  /** How often it is measured at most. Absent: in every round if it decides, twice otherwise. */
  readonly rounds?: number
  /** Whether it is to be served CBOR. */
  readonly wire: 'json' | 'cbor'
  /** Whether its first reads are small ones: then it is measured only after every shard has been read. */
  readonly beginsSmall?: boolean
  /** What it reads. */
  readonly payloads: readonly PayloadName[]
  /** Begins to read. Rejects if it cannot. */
  start(load: Load): Promise<RunningContender>
}
