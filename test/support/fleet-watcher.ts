// Starts dynalite in another process, together with a watcher that gives death certificates to silent sessions.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { type Emulator, emulatorAt } from '../../examples/support/emulators.ts'
import { pollUntil } from './poll.ts'

/** What is watched: the sessions of one application, which die when they stand still for `durationMs`. */
export interface WatchRequest {
  readonly tableName: string
  readonly applicationName: string
  readonly durationMs: number
}

/** What the watcher tells. Times are monotonic, and the same in all processes of a machine. */
export type WatcherMessage =
  | { readonly kind: 'up'; readonly endpoint: string }
  | {
      readonly kind: 'seen' | 'certified'
      readonly applicationName: string
      readonly session: string
      readonly hb: number
      readonly atMs: number
    }

export type Sighting = Exclude<WatcherMessage, { readonly kind: 'up' }>

export interface FleetWatcher {
  readonly emulator: Emulator
  /** Everything that was told of the sessions of an application. */
  sightings(applicationName: string): Sighting[]
  watch(request: WatchRequest): void
}

/** Takes a second or two to start. */
export async function startFleetWatcher(): Promise<FleetWatcher> {
  const child = fork(new URL('fleet-watcher-process.ts', import.meta.url), { execArgv: ['--import', 'tsx'] })
  child.unref()
  child.channel?.unref()
  const sightings: Sighting[] = []
  let endpoint: string | undefined
  child.on('message', (message: WatcherMessage) => {
    if (message.kind === 'up') endpoint = message.endpoint
    else sightings.push(message)
  })
  const address = await pollUntil('dynalite in another process', () => endpoint, 30_000)
  return {
    emulator: emulatorAt(address, () => kill(child)),
    sightings: name => sightings.filter(({ applicationName }) => applicationName === name),
    watch: request => void child.send(request)
  }
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit')
  child.ref()
  child.kill('SIGKILL')
  await gone
}
