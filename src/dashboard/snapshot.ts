// What the server of the dashboard tells its page: values that go into JSON as they are, and nothing of any record. The page is
// compiled against these types, too.

/** A part of the hash space. */
export interface RangeShape {
  /** The first and the last hash key, in decimal: they have 128 bits. */
  readonly start: string
  readonly end: string
  /** Where the part begins and ends in the hash space: from 0 to 1. */
  readonly from: number
  readonly to: number
}

/** How one shard is doing. */
export interface ShardRow {
  /** Id of the shard. */
  readonly id: string
  readonly state: 'read' | 'unowned' | 'orphaned' | 'waiting' | 'held' | 'foreign' | 'finished'
  readonly isRed: boolean
  /** Whether Kinesis still lists it. */
  readonly listing: 'open' | 'closed' | 'expired'
  /** The row of the worker that reads it, see {@link WorkerRow}. */
  readonly owner?: string
  /** What is done: up to a sequence number. Or where to begin. */
  readonly checkpoint: string
  readonly hasPendingCheckpoint?: boolean
  /** Absent: nobody has noted it. */
  readonly range?: RangeShape
  readonly parents: readonly string[]
  readonly children: readonly string[]
  /** Why an operator keeps it from everybody. */
  readonly heldFor?: string
  /** The worker that it is ordered to go to. */
  readonly movesTo?: string
  /** Why it is red. */
  readonly reason?: string
  /** How far behind it is, when that was last measured. Milliseconds. Absent: it was not measured. */
  readonly lagMs?: number
  /** Why it could not be measured. */
  readonly lagProblem?: string
}

/** How one worker is doing: one of its sessions. */
export interface WorkerRow {
  /** Its session; its name, if it is not of Millrace. */
  readonly id: string
  readonly name: string
  readonly state: 'ACTIVE' | 'DRAINING' | 'RESTARTING' | 'DEAD' | 'FOREIGN'
  readonly isRed: boolean
  readonly isLeader: boolean
  /** How many unfinished shards it has. */
  readonly shards: number
  /** Its colour and pattern, from 0. */
  readonly slot: number
  /** How long it has not been heard of. Milliseconds. Absent: a first look. */
  readonly silentMs?: number
  /** How long it may be silent. Milliseconds. */
  readonly durationMs?: number
  readonly generation?: number
  readonly capacity?: number
  readonly maxLeases?: number
  /** Why it is red. */
  readonly reasons: readonly string[]
}

/** Shards that an operator keeps from everybody. */
export interface HoldRow {
  readonly why: string
  readonly by: string
  /** Whether it is a pause, which stands until it is ended. */
  readonly isPause: boolean
  readonly shards: 'all' | number
}

/** What is known about the fleet as a whole. */
export interface FleetFacts {
  readonly app: string
  readonly stream: string
  readonly leaseTable: string
  readonly controlTable: string
  /** When it was looked at, by the clock of the server. Epoch milliseconds. */
  readonly atMs: number
  readonly isRed: boolean
  readonly isMixed: boolean
  /** The row of the worker that leads. */
  readonly leader?: string
  /** Everything that is red, in words; the first of it. */
  readonly reasons: readonly string[]
  /** How many more there are. */
  readonly moreReasons: number
  readonly holes: readonly RangeShape[]
  readonly holds: readonly HoldRow[]
  /** When the lag was last measured. Epoch milliseconds. */
  readonly lagAtMs?: number
  /** The highest of all shards then. Milliseconds. */
  readonly maxLagMs?: number
  /** Why it could not be looked at the last time. What is shown is older, then. */
  readonly problem?: string
}

/** A fleet at one moment. */
export interface Snapshot {
  readonly facts: FleetFacts
  readonly workers: readonly WorkerRow[]
  readonly shards: readonly ShardRow[]
}

/** The lag at one moment. */
export interface LagPoint {
  /** Epoch milliseconds. */
  readonly atMs: number
  /** Milliseconds; `null`: nobody measured between the point before and this one. */
  readonly maxMs: number | null
  readonly medianMs: number | null
}

/** What an event is about. */
export type EventTopic = 'worker' | 'shard' | 'trouble' | 'order' | 'position' | 'operation'

/** Something that has changed between two looks. */
export interface FleetEvent {
  /** Counts up. */
  readonly id: number
  /** Epoch milliseconds. */
  readonly atMs: number
  readonly topic: EventTopic
  /** Whether it is bad news, good news, or just news. */
  readonly mood: 'bad' | 'good' | 'plain'
  /** One sentence without a full stop. */
  readonly text: string
}

/** Something that an operator does from a page. */
export interface OperationRow {
  readonly id: string
  /** What it is, in words. */
  readonly what: string
  readonly state: 'running' | 'done' | 'failed'
  /** How far it is, or what it came to. */
  readonly told: string
  /** Epoch milliseconds. */
  readonly atMs: number
}

/** What the page may do, and how often it is told. */
export interface PageFacts {
  /** Whether actions are possible with the token that came along. */
  readonly canAct: boolean
  /** Between two looks. Milliseconds. */
  readonly everyMs: number
}

/** Everything, for a page that knows nothing yet. */
export interface FullFrame {
  readonly kind: 'full'
  readonly page: PageFacts
  /** Absent: there has been no look yet. */
  readonly snapshot?: Snapshot
  readonly points: readonly LagPoint[]
  readonly events: readonly FleetEvent[]
  readonly operations: readonly OperationRow[]
}

/** What has changed of an object: members that went are `null`. */
export type Patch = Readonly<Record<string, unknown>>

/** What has changed of a list of rows. */
export interface RowChanges {
  /** By `id`: whole rows that are new, and members of others that are not as they were. */
  readonly put: readonly (Patch & { readonly id: string })[]
  readonly gone: readonly string[]
}

/** What is not as it was when the frame before was sent. */
export interface ChangeFrame {
  readonly kind: 'change'
  readonly facts?: Patch
  readonly workers?: RowChanges
  readonly shards?: RowChanges
  /** To be added. */
  readonly points?: readonly LagPoint[]
  readonly events?: readonly FleetEvent[]
  /** In the place of those that there are. */
  readonly operations?: readonly OperationRow[]
}

/** What is sent over a stream of events. */
export type Frame = FullFrame | ChangeFrame
