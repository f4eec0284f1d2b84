// What a run of the benchmarks finds out, and the line that sums it up.
import type { Machine } from './machine.ts'
import type { PayloadName } from './source/payloads.ts'
import type { Spread } from './statistics.ts'

/** Why a contender did not read faster: its own core was full, the source's was, or it kept within the limits of Kinesis. */
export type Bottleneck = 'client' | 'source' | 'neither'

/** One run of one contender. */
export interface Run {
  /** User records per second of wall time. */
  readonly recordsPerSecond: number
  /** User records per second of CPU time of the client. */
  readonly recordsPerCpuSecond: number
  /** Part of a core that the client took. */
  readonly clientCpu: number
  /** Part of a core that the source took. */
  readonly sourceCpu: number
}

/** How fast a contender read one kind of load. */
export interface ThroughputResult {
  readonly contender: string
  readonly title: string
  readonly payload: PayloadName
  /** What each run measured, in the order of the rounds. */
  readonly runs: readonly Run[]
  /** User records per second of wall time. */
  readonly recordsPerSecond: Spread
  /** User records per second of CPU time of the client. */
  readonly recordsPerCpuSecond: Spread
  /** Megabytes (10^6) of the data of user records per second of wall time. */
  readonly megabytesPerSecond: number
  /** Part of a core that the client took, and the source beside it. Medians. */
  readonly clientCpu: number
  readonly sourceCpu: number
  readonly bottleneck: Bottleneck
  /** What else there is to know: that it was not measured, or that it was served something else than it was to be. */
  readonly remark?: string
}

/** How long one answer blocks the event loop. Milliseconds. */
export interface LoopResult {
  readonly contender: string
  readonly payload: PayloadName
  readonly answers: number
  readonly medianMs: number
  readonly maxMs: number
}

/** How fast an aggregate is taken apart. */
export interface DeaggregationResult {
  readonly case: string
  readonly ours: Spread
  readonly theirs: Spread
  readonly ratio: number
}

/** How long a record takes from before it is put until it is handled. Milliseconds. */
export interface LatencyResult {
  readonly emulator: string
  readonly subject: string
  readonly records: number
  readonly p50: number
  readonly p99: number
  readonly remark?: string
}

/** What shards without records cost. */
export interface IdleResult {
  readonly shards: number
  /** Percent of one core. */
  readonly cpuPercent: number
  readonly cpuMsPerPoll: number
  readonly pollsPerSecond: number
  readonly rssMegabytes: number
  readonly connections: number
}

/** How many connections GetRecords takes. */
export interface ConnectionsResult {
  readonly shards: number
  readonly calls: number
  readonly connections: number
}

/** What a worker holds while its handler does not return, and how soon it is at full speed once it does. */
export interface MemoryResult {
  readonly shards: number
  readonly minutes: number
  readonly budgetMegabytes: number
  readonly maxRssMegabytes: number
  readonly maxRssPerBudget: number
  /** Resident before the first record was read. */
  readonly baseRssMegabytes: number
  readonly fullSpeedAfterMs: number
  readonly recordsPerSecond: number
}

/** Everything. Parts that were not asked for are absent. */
export interface Results {
  readonly machine: Machine
  readonly throughput: readonly ThroughputResult[]
  readonly eventLoop: readonly LoopResult[]
  readonly deaggregation: readonly DeaggregationResult[]
  readonly latency: readonly LatencyResult[]
  readonly idle: readonly IdleResult[]
  readonly connections: readonly ConnectionsResult[]
  readonly memory: readonly MemoryResult[]
  /** What somebody who reads the figures should know. */
  readonly remarks: readonly string[]
}
