// Root hooks of mocha: what is true around every test of a run.
import { closeSharedEmulators } from './emulators.ts'

export const mochaHooks = {
  async afterAll(): Promise<void> {
    await closeSharedEmulators()
  }
}
