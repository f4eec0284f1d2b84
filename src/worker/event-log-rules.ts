// What to log of events: what is wrong, in a constant sentence; under which topic that counts as the same thing again; and what
// is over with which event.
import type { StallAction } from '../consumer/shard-listener.ts'
import { DeadLetterError } from '../model/errors.ts'
import type { WorkerEventName, WorkerEvents } from './events.ts'

/** An event with its name. */
export type AnyEvent = {
  [Name in WorkerEventName]: { readonly name: Name; readonly event: WorkerEvents[Name] }
}[WorkerEventName]

/** What to say about an event, and how much it matters. */
export interface Trouble {
  readonly level: 'warn' | 'error'
  readonly message: string
}

const GIVEN_UP = {
  'dead-letter': 'records were given up: their dead letters are stored',
  skip: 'records were skipped, as onProcessorError says'
}

const STALLED: Readonly<Record<StallAction, Trouble>> = {
  report: { level: 'warn', message: 'a shard makes no progress' },
  restart: { level: 'warn', message: 'a shard makes no progress: it is read anew' },
  release: { level: 'error', message: 'a shard makes no progress: its lease is given back for another worker to try' }
}

function haltMessage({ error, lastResort }: WorkerEvents['shard:halted']): string {
  const failed = error instanceof DeadLetterError ? 'dead letters could not be stored' : 'a processor failed for good'
  return `${failed}, nothing was skipped: ${lastResort === 'stop' ? 'the worker stops' : 'its shard is halted'}`
}

/** The 8th, 16th, 32nd … failure in a row: often enough not to be silent, seldom enough to stay readable. */
function isMilestone(failures: number): boolean {
  return failures >= 8 && Number.isInteger(Math.log2(failures))
}

/** What to say about an event that nobody listens to; `undefined` if all is well. */
export function troubleIn({ name, event }: AnyEvent): Trouble | undefined {
  switch (name) {
    case 'error':
      return { level: event.error.retryable ? 'warn' : 'error', message: 'something failed in the background' }
    case 'shard:halted':
      return { level: 'error', message: haltMessage(event) }
    case 'processor:failed':
      return { level: 'warn', message: 'a processor failed' }
    case 'record:undecodable':
      return { level: 'warn', message: 'records could not be decoded' }
    case 'records:given-up':
      return { level: 'warn', message: GIVEN_UP[event.how] }
    case 'records:lost':
      return {
        level: 'error',
        message: 'records are gone before they were read: the service keeps none that are as old'
      }
    case 'dead-letter:failed':
      return { level: 'warn', message: 'dead letters could not be stored: their shard waits for them' }
    case 'shard:stalled':
      return STALLED[event.action]
    case 'breaker:changed':
      if (event.state !== 'open') return undefined
      return { level: 'warn', message: 'the circuit breaker is open: nothing is processed for a while' }
    case 'shard:failed':
      if (event.retryInMs === undefined) return { level: 'warn', message: 'a shard is given back after a failure' }
      return isMilestone(event.failures) ? { level: 'warn', message: 'a shard makes no progress' } : undefined
    case 'lease:lost':
      return { level: 'warn', message: 'a lease was lost: its records since the last checkpoint are delivered again' }
    case 'lease:neglected':
      if (event.leaseKeys.length === 0) return undefined
      return { level: 'warn', message: 'nobody reads these shards: every worker is full, or cannot read them now' }
    case 'worker:stalled':
      return { level: 'warn', message: 'the event loop stood still: a handler blocks it' }
    case 'session:suspended':
      return { level: 'warn', message: 'no heartbeat was acknowledged in time: nothing is delivered until one is' }
    case 'session:died':
      return { level: 'warn', message: 'the session of this worker is dead: its leases go to others' }
    case 'fleet:foreigners-found':
      return {
        level: 'warn',
        message: 'workers of another kind share the lease table: the fleet changes to mixed mode'
      }
    case 'lease:row-skipped':
      return {
        level: 'warn',
        message: 'a row of the lease table cannot be read: nobody reads its shard until the row is mended or removed'
      }
    case 'stream:recreated':
      return { level: 'warn', message: 'the stream was created again, and reading starts over' }
    case 'stream:failed':
      return { level: 'warn', message: 'one of several streams cannot be found or compared with its leases' }
    case 'stream:forgotten':
      return { level: 'warn', message: 'the leases of a stream that is not read any more were deleted' }
    case 'worker:stopped':
      if (event.abandoned.length === 0) return undefined
      return { level: 'warn', message: 'the worker stopped without waiting for processors that did not return' }
    default:
      return undefined
  }
}

/** The fields of the line about an event. An error is called `err`, as pino and others expect it. */
export function fieldsOf({ name, event }: AnyEvent): object {
  const { error, ...rest } = event as { readonly error?: unknown }
  return { event: name, ...rest, ...(error !== undefined && { err: error }) }
}

/**
 * What a trouble is the same as: of each topic there is a line a minute at most. `undefined`: it is said each time, for it waits
 * for somebody, and there is no end of it that comes by itself.
 */
export function topicOf({ name, event }: AnyEvent): string | undefined {
  switch (name) {
    case 'shard:halted':
      return undefined
    case 'error':
      return `${name} ${event.error.retryable} ${event.during.replace(/\S*\d\S*/g, '')}`
    case 'shard:stalled':
      return event.action === 'release' ? undefined : `${name} ${event.action}`
    case 'shard:failed':
      return `${name} ${event.during} ${event.retryInMs === undefined}`
    case 'record:undecodable':
      return `${name} ${event.reason}`
    case 'records:given-up':
      return `${name} ${event.how}`
    default:
      return name
  }
}

/** Which troubles there are as long as nothing else is heard: by the event that tells of them, and of what shard. */
export function lastingTrouble({ name, event }: AnyEvent): string | undefined {
  switch (name) {
    case 'processor:failed':
    case 'dead-letter:failed':
    case 'shard:stalled':
      return `${name} ${event.leaseKey}`
    case 'shard:failed':
      return `${name} ${event.during} ${event.leaseKey}`
    case 'stream:failed':
      return `${name} ${event.streamArn || event.streamName}`
    case 'session:suspended':
    case 'breaker:changed':
    case 'lease:neglected':
      return name
    default:
      return undefined
  }
}

/** Which troubles are over with an event. `isGood`: because all is well again, and not because the shard has left. */
export function endedTroubles({ name, event }: AnyEvent): {
  readonly keys: readonly string[]
  readonly isGood: boolean
} {
  const good = (...keys: string[]) => ({ keys, isGood: true })
  switch (name) {
    case 'batch:processed':
      return good(`processor:failed ${event.leaseKey}`)
    case 'records:given-up':
      return good(`processor:failed ${event.leaseKey}`, `dead-letter:failed ${event.leaseKey}`)
    case 'shard:read':
      return good(`shard:failed read ${event.leaseKey}`)
    case 'checkpoint:stored':
      return good(`shard:failed checkpoint ${event.leaseKey}`)
    case 'shard:started':
      return good(`shard:failed parents ${event.leaseKey}`)
    case 'shard:progressed':
      return good(`shard:stalled ${event.leaseKey}`)
    case 'session:resumed':
      return good('session:suspended')
    case 'breaker:changed':
      return good(...(event.state === 'closed' ? ['breaker:changed'] : []))
    case 'lease:neglected':
      return good(...(event.leaseKeys.length === 0 ? ['lease:neglected'] : []))
    case 'stream:recovered':
      return good(`stream:failed ${event.streamArn || event.streamName}`)
    case 'stream:removed':
      return { keys: [`stream:failed ${event.streamArn || event.streamName}`], isGood: false }
    case 'shard:ended':
    case 'lease:released':
    case 'lease:lost': {
      const kinds = ['processor:failed', 'dead-letter:failed', 'shard:stalled']
      const failures = ['parents', 'read', 'checkpoint', 'end', 'release'].map(during => `shard:failed ${during}`)
      return { keys: [...kinds, ...failures].map(kind => `${kind} ${event.leaseKey}`), isGood: false }
    }
    case 'session:died':
      return { keys: ['session:suspended'], isGood: false }
    default:
      return { keys: [], isGood: false }
  }
}
