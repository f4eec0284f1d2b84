// The emulators of Kinesis and DynamoDB that the tests share. kinesalite and dynalite run in this process, as in the
// examples, kinesis-local in a child of it, so that none of them outlives the process.
import { type Emulator, startDynalite, startKinesalite } from '../../examples/support/emulators.ts'
import { startKinesisLocal } from './kinesis-local.ts'

export {
  type Emulator,
  type EmulatorClientConfig,
  emulatorAt,
  startDynalite,
  startKinesalite
} from '../../examples/support/emulators.ts'

const shared = new Map<string, Promise<Emulator>>()

function share(name: string, start: () => Promise<Emulator>): Promise<Emulator> {
  const running = shared.get(name) ?? start()
  shared.set(name, running)
  return running
}

/** The kinesalite that all tests of this run use. Started when first asked for, closed after the last test. */
export const sharedKinesalite = (): Promise<Emulator> => share('kinesalite', startKinesalite)

/** The dynalite that all tests of this run use. Started when first asked for, closed after the last test. */
export const sharedDynalite = (): Promise<Emulator> => share('dynalite', startDynalite)

/** The kinesis-local that all tests of this run use. Started when first asked for, closed after the last test. */
export const sharedKinesisLocal = (): Promise<Emulator> => share('kinesis-local', startKinesisLocal)

/** Closes the shared emulators that were started. The root hooks call it after the last test. */
export async function closeSharedEmulators(): Promise<void> {
  const running = [...shared.values()]
  shared.clear()
  await Promise.allSettled(running.map(async emulator => (await emulator).close()))
}
