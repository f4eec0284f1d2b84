// Root hooks of mocha: what is true around every test of a run.
import { closeSharedEmulators } from './emulators.ts'

export const mochaHooks = {
  async afterAll(this: Mocha.Context): Promise<void> {
    // A process of `--parallel` gets here after each of its files. The next one uses them too; they end with the process.
    if (process.env.MOCHA_WORKER_ID !== undefined) return
    // One may still be starting.
    this.timeout(90_000)
    await closeSharedEmulators()
  }
}
