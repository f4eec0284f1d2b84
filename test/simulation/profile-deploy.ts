// A rolling deploy: each worker of a fleet is replaced, a new one first, then the old one stops.
import { FAULT_PROFILES, type World } from '../../src/testing/index.ts'
import { isBalanced, launchFleet, loadShards, optionsOf, STREAM } from './fleets.ts'
import type { Gauges } from './gauges.ts'
import type { Figures, Profile } from './seed-run.ts'

const WORKERS = 30
const LEASES = 600
const EVERY_MS = 20_000
const PUT_EVERY_MS = 20_000
/** Batches take a while, so that some are under way whenever a shard changes hands. */
const TRAITS = { conduct: { takesMs: [0, 1_000] } } as const

/** 30 workers, 600 leases, one worker replaced every 20 s. */
export const deploy: Profile = {
  world: { faults: FAULT_PROFILES.calm, enforceLimits: false },
  async tell(world: World, gauges: Gauges): Promise<Figures> {
    world.kinesis.createStream(STREAM, LEASES)
    await launchFleet(world, WORKERS, 1_000, optionsOf(2_000), TRAITS)
    await world.until(() => isBalanced(world, gauges, LEASES), 300_000)
    await loadShards(world, 30_000, PUT_EVERY_MS)
    const movesBefore = gauges.moves.length
    const old = world.workers.slice()
    for (const worker of old) {
      world.launch(optionsOf(2_000, { generation: 1 }), TRAITS)
      await loadShards(world, EVERY_MS / 4, PUT_EVERY_MS)
      const stopping = worker.stop()
      await loadShards(world, (EVERY_MS * 3) / 4, PUT_EVERY_MS)
      await world.await(stopping)
    }
    await loadShards(world, 60_000, PUT_EVERY_MS)
    await world.untilProcessed()
    world.assertSound()
    const { duplicates } = world.counts()
    if (duplicates > 0) throw new Error(`duplicates: ${duplicates} records were delivered again by a deployment`)
    const handovers = gauges.gaps().filter(({ why }) => why === 'release')
    return {
      movesPerLease: (gauges.moves.length - movesBefore) / LEASES,
      unreadShardSeconds: handovers.reduce((sum, { ms }) => sum + ms, 0) / 1_000,
      longestGapMs: Math.max(...handovers.map(({ ms }) => ms)),
      leases: LEASES
    }
  }
}
