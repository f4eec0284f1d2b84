// What runs in the heartbeat's thread: a local heartbeat over a control store of its own, for as long as the main loop shows
// in the shared memory that it goes on. Loading this file in a worker thread starts it.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { type RemoteControlStore, remoteControlStore } from '../leases/dynamo-control-store.ts'
import type { Clock } from '../runtime/clock.ts'
import { systemClock } from '../runtime/clock.ts'
import { silentLogger } from '../runtime/logger.ts'
import { type Random, systemRandom } from '../runtime/random.ts'
import { HeartbeatMemory } from './heartbeat-memory.ts'
import {
  type FromThread,
  sentError,
  type ThreadSettings,
  type ThreadSetup,
  type ToThread
} from './heartbeat-messages.ts'
import { LocalHeartbeat, type SessionStart } from './local-heartbeat.ts'

/** What a thread beats with. */
export interface ThreadContext {
  readonly settings: ThreadSettings
  readonly store: Pick<RemoteControlStore, 'join' | 'beat' | 'leave' | 'useCredentials'>
  readonly clock: Clock
  readonly random: Random
}

/** Does what `port` says, and tells it what comes of that. */
export function serveHeartbeat(port: Pick<MessagePort, 'on' | 'postMessage'>, context: ThreadContext): void {
  const tell = (message: FromThread): void => port.postMessage(message)
  // One for each session: it can then write to the memory of no other.
  let heartbeat: LocalHeartbeat | undefined
  let session = ''

  const begin = (start: SessionStart, memory: HeartbeatMemory): void => {
    const mine = heartbeatOf(memory, context, tell)
    heartbeat = mine
    session = start.session
    mine.resume(start).then(
      () => tell({ kind: 'begun', session: start.session }),
      error => tell({ kind: 'refused', session: start.session, error: sentError(error) })
    )
  }
  const end = async (ending: string): Promise<void> => {
    await heartbeat?.end()
    tell({ kind: 'ended', session: ending })
  }

  port.on('message', (message: ToThread) => {
    switch (message.kind) {
      case 'begin':
        return begin(message.start, new HeartbeatMemory(message.memory))
      case 'report':
        return heartbeat?.report(message.report, { hurry: message.hurry })
      case 'end':
        return void end(session)
      case 'credentials':
        return context.store.useCredentials(message.credentials)
    }
  })
  tell({ kind: 'ready' })
}

function heartbeatOf(
  memory: HeartbeatMemory,
  { settings, store, clock, random }: ThreadContext,
  tell: (message: FromThread) => void
): LocalHeartbeat {
  return new LocalHeartbeat({
    store,
    clock,
    random,
    settings,
    // A main loop that stands still for good must not keep its leases: without beats, the session dies.
    mayBeat: () => clock.monotonicMs() - memory.tickAtMs < settings.stallLimitMs,
    progressed: progress => {
      memory.progress = progress
    },
    listener: {
      acknowledged: (session, asgVer) => tell({ kind: 'acknowledged', session, asgVer }),
      died: (session, how) => tell({ kind: 'died', session, how }),
      stalled: () => {},
      failed: (what, error) => tell({ kind: 'failed', what, error: sentError(error) })
    }
  })
}

if (parentPort !== null) {
  const { settings, store } = workerData as ThreadSetup
  const ports = { clock: systemClock, logger: silentLogger }
  serveHeartbeat(parentPort, { ...ports, settings, store: remoteControlStore(store, ports), random: systemRandom })
}
