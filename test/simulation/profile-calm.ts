// A fleet on a good day: what its coordination costs, and what one crash, the crash of a leader and one joining worker do.
import { FAULT_PROFILES, type World } from '../../src/testing/index.ts'
import { active, isBalanced, launchFleet, leaderOf, loadShards, optionsOf, STREAM } from './fleets.ts'
import type { Gauges } from './gauges.ts'
import { costOf, type Figures, type Profile, usageOf } from './seed-run.ts'

const WORKERS = 20
const LEASES = 1_000
const WINDOW_MS = 600_000
const CHECKPOINT_EVERY_MS = 60_000

/** 20 workers, 1,000 leases, one checkpoint a minute for each. */
export const calm: Profile = {
  world: { faults: FAULT_PROFILES.calm, enforceLimits: false },
  async tell(world: World, gauges: Gauges, durationMs: number): Promise<Figures> {
    const options = optionsOf(15_000, { durationMs })
    world.kinesis.createStream(STREAM, LEASES)
    await launchFleet(world, WORKERS, 1_000, options)
    await world.until(() => isBalanced(world, gauges, LEASES), 300_000)
    await loadShards(world, 120_000, CHECKPOINT_EVERY_MS)

    const before = usageOf(world)
    const movesBefore = gauges.moves.length
    await loadShards(world, WINDOW_MS, CHECKPOINT_EVERY_MS)
    const cost = costOf(world, before, LEASES, WINDOW_MS)
    const movesWhileSteady = gauges.moves.length - movesBefore

    const movesBeforeJoin = gauges.moves.length
    world.launch(options)
    await loadShards(world, 180_000, CHECKPOINT_EVERY_MS)
    const movesPerJoin = gauges.moves.length - movesBeforeJoin

    const follower = active(world).find(worker => worker !== leaderOf(world))
    if (follower === undefined) throw new Error('There is no follower')
    gauges.crashing(follower)
    world.crash(follower)
    await loadShards(world, 90_000, CHECKPOINT_EVERY_MS)
    const leader = leaderOf(world)
    if (leader === undefined) throw new Error('There is no leader')
    gauges.crashing(leader)
    world.crash(leader)
    await loadShards(world, 90_000, CHECKPOINT_EVERY_MS)
    await world.untilProcessed()
    world.assertSound()
    return { ...cost, movesPerJoin, movesWhileSteady, leases: LEASES }
  }
}
