// Fleets of equal workers, for the profiles that measure.
import type { WorkerOptions } from '../../src/index.ts'
import type { SimulatedWorker, WorkerTraits, World } from '../../src/testing/index.ts'
import type { Gauges } from './gauges.ts'

/** The stream of these profiles. */
export const STREAM = 'orders'

/** The options of every worker. Its processor is done at once, so that each batch is one checkpoint. */
export function optionsOf(idleMs: number, more: Partial<WorkerOptions['leases']> = {}): WorkerOptions {
  return {
    streamName: STREAM,
    applicationName: 'indexer',
    startAt: 'TRIM_HORIZON',
    retrieval: { idleMs },
    leases: more,
    handler: () => {}
  }
}

/** Launches workers within `withinMs` milliseconds. */
export async function launchFleet(
  world: World,
  size: number,
  withinMs: number,
  options: WorkerOptions,
  traits: WorkerTraits = {}
): Promise<void> {
  for (let i = 0; i < size; i++) {
    world.launch(options, traits)
    await world.advance(withinMs / size)
  }
}

/** Whether every lease is owned, and no worker has two more than another. */
export function isBalanced(world: World, gauges: Gauges, leases: number): boolean {
  const loads = gauges.loads()
  const counts = active(world).map(({ name }) => loads.get(name) ?? 0)
  const sum = counts.reduce((a, b) => a + b, 0)
  return sum === leases && Math.max(...counts) - Math.min(...counts) <= 1
}

/** The workers that take part in the fleet and do not stop. */
export function active(world: World): SimulatedWorker[] {
  return world.workers.filter(({ isRunning, worker }) => isRunning && worker.state !== 'stopping')
}

/** The worker that leads now. */
export function leaderOf(world: World): SimulatedWorker | undefined {
  return active(world).find(worker => {
    const elected = worker.events('leader:elected').at(-1)?.atMs ?? -1
    return elected > (worker.events('leader:deposed').at(-1)?.atMs ?? -1)
  })
}

/** Puts one record into each open shard of the stream, as evenly over `forMs` as `steps` allow, again and again. */
export async function loadShards(world: World, forMs: number, everyMs: number): Promise<void> {
  const shards = world.kinesis.shards(STREAM)
  const steps = Math.max(1, Math.min(60, shards.length))
  const untilMs = world.clock.monotonicMs() + forMs
  for (let step = 0; world.clock.monotonicMs() < untilMs; step++) {
    for (let index = step % steps; index < shards.length; index += steps) {
      const explicitHashKey = shards[index]?.hashKeyRange.start ?? 0n
      world.kinesis.put(STREAM, `key-${index}`, `record-${step}`, { explicitHashKey })
    }
    await world.advance(Math.min(everyMs / steps, untilMs - world.clock.monotonicMs()))
  }
}
