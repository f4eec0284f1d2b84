// Root hooks of mocha: what is true around every test of a run.
import { closeSharedEmulators } from './emulators.ts'

export const mochaHooks = {
  async afterAll(this: Mocha.Context): Promise<void> {
    // One may still be starting.
    this.timeout(90_000)
    await closeSharedEmulators()
  }
}
