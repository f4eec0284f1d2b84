// dynalite, and somebody who watches the control table in it as a leader does: in a process of its own, because both have to
// go on while the event loop of a test is blocked. Ends when its parent does.
import { startDynalite } from '../../examples/support/emulators.ts'
import { dynamoControlStore } from '../../src/leases/dynamo-control-store.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import type { WatcherMessage, WatchRequest } from './fleet-watcher.ts'

const LOOK_MS = 40
const tell = (message: WatcherMessage): boolean | undefined => process.send?.(message)

const emulator = await startDynalite()
const client = emulator.clientConfig()
const base = { client, clock: systemClock, logger: silentLogger }

async function watch({ applicationName, tableName, durationMs }: WatchRequest): Promise<void> {
  const store = dynamoControlStore({ ...base, applicationName, tableName })
  const seen = new Map<string, { hb: number; sinceMs: number }>()
  for (;;) {
    for (const { session, hb, dead } of await store.members()) {
      const nowMs = systemClock.monotonicMs()
      const what = { applicationName, session, hb, atMs: nowMs }
      const last = seen.get(session)
      if (last === undefined || last.hb !== hb) {
        seen.set(session, { hb, sinceMs: nowMs })
        tell({ kind: 'seen', ...what })
      } else if (dead === undefined && nowMs - last.sinceMs > durationMs) {
        if (await store.certify(session, hb, 'silent')) tell({ kind: 'certified', ...what })
      }
    }
    await systemClock.sleep(LOOK_MS)
  }
}

process.once('disconnect', () => process.exit())
process.on('message', (request: WatchRequest) => void watch(request))
tell({ kind: 'up', endpoint: emulator.endpoint })
