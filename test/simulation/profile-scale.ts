// A large fleet: 200 workers start on 10,000 shards within a second; later one of them dies.
import { FAULT_PROFILES, type World } from '../../src/testing/index.ts'
import { active, isBalanced, launchFleet, leaderOf, optionsOf, STREAM } from './fleets.ts'
import type { Gauges } from './gauges.ts'
import { type Figures, type Profile, usageOf } from './seed-run.ts'

const WORKERS = 200
const LEASES = 10_000

/** 200 workers, 10,000 leases. */
export const scale: Profile = {
  world: { faults: FAULT_PROFILES.calm, enforceLimits: false },
  async tell(world: World, gauges: Gauges): Promise<Figures> {
    world.kinesis.createStream(STREAM, LEASES)
    await launchFleet(world, WORKERS, 1_000, optionsOf(30_000))
    await world.until(() => isBalanced(world, gauges, LEASES), 300_000)
    const balancedMs = world.clock.monotonicMs()
    const { byCategory } = usageOf(world)
    const requests = Object.values(byCategory).reduce((sum, { requests: some }) => sum + some, 0)
    await world.advance(30_000)
    const victim = active(world).find(worker => worker !== leaderOf(world))
    if (victim === undefined) throw new Error('There is no worker')
    gauges.crashing(victim)
    world.crash(victim)
    await world.advance(45_000)
    world.assertSound()
    return { balancedMs, requests, heapMb: process.memoryUsage().heapUsed / 1e6, leases: LEASES }
  }
}
