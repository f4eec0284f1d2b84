// The life of one shard in one worker: which state follows which event. The only place that says so.

/** Where a shard is in its life in one worker. Nothing follows `stopped`. */
export type ShardState =
  | 'waiting-for-parents' /** the shards it continues are not finished yet */
  | 'initializing' /** the processor's initialize is being called */
  | 'processing' /** reading, delivering, checkpointing */
  | 'ending' /** everything is read and processed: children, shardEnded, SHARD_END */
  | 'draining' /** asked to stop: shutdownRequested, then the lease is released */
  | 'halted' /** the processor has failed too often; the lease is kept, nothing is skipped */
  | 'releasing' /** the lease is given back without asking the processor */
  | 'losing' /** the lease is gone: leaseLost */
  | 'stopped'

/** What happens to a shard: the work of a state has come to an end, or somebody outside wants something. */
export type ShardEvent =
  | 'parents-finished'
  | 'initialized'
  | 'batch-settled'
  | 'read-anew' /** what was being read is read again, from where it was taken in */
  | 'end-reached'
  | 'end-retracted' /** the end turned out to be none: read on */
  | 'end-settled'
  | 'end-refused' /** the processor is done, and the table does not take the end of the shard */
  | 'processor-gone' /** the thread of the processor ended: the next one begins at the checkpoint */
  | 'gave-up' /** the processor failed as often as it may */
  | 'read-failed' /** reading on is pointless */
  | 'resumed' /** the user wants a halted shard to go on */
  | 'drain-requested'
  | 'drained'
  | 'released'
  | 'lease-lost'
  | 'told'

const NEXT: Readonly<Record<ShardState, Partial<Readonly<Record<ShardEvent, ShardState>>>>> = {
  'waiting-for-parents': {
    'parents-finished': 'initializing',
    'read-failed': 'releasing',
    'drain-requested': 'releasing',
    'lease-lost': 'losing'
  },
  initializing: {
    initialized: 'processing',
    'processor-gone': 'initializing',
    'gave-up': 'halted',
    'drain-requested': 'releasing',
    'lease-lost': 'losing'
  },
  processing: {
    'batch-settled': 'processing',
    'read-anew': 'processing',
    'end-reached': 'ending',
    'processor-gone': 'initializing',
    'gave-up': 'halted',
    'read-failed': 'draining',
    'drain-requested': 'draining',
    'lease-lost': 'losing'
  },
  ending: {
    'end-settled': 'stopped',
    'end-retracted': 'processing',
    'end-refused': 'releasing',
    'processor-gone': 'initializing',
    'gave-up': 'halted',
    'read-failed': 'draining',
    'drain-requested': 'draining',
    'lease-lost': 'losing'
  },
  draining: { drained: 'stopped', 'gave-up': 'releasing', 'lease-lost': 'losing' },
  halted: { resumed: 'initializing', 'drain-requested': 'releasing', 'lease-lost': 'losing' },
  releasing: { released: 'losing', 'lease-lost': 'losing' },
  losing: { told: 'stopped' },
  stopped: {}
}

/** The state after an event; `undefined` if the event cannot happen in that state. */
export function nextShardState(state: ShardState, event: ShardEvent): ShardState | undefined {
  return NEXT[state][event]
}

/** Every transition there is, for diagrams and tests. */
export function shardTransitions(): { from: ShardState; event: ShardEvent; to: ShardState }[] {
  return Object.entries(NEXT).flatMap(([from, events]) =>
    Object.entries(events).map(([event, to]) => ({ from: from as ShardState, event: event as ShardEvent, to }))
  )
}
