// Shards in solo mode whose session can lapse, and what user code does about it.
import type { ProcessRecordsInput } from '../../src/processor/record-processor.ts'
import { type Running, type RunOptions, type Script, ShardWorld } from './shard-world.ts'

/** A shard in solo mode with these records in it, and a consumer that has begun. */
export async function aShardOf(
  texts: readonly string[],
  script: Script | ((world: ShardWorld) => Script) = {},
  options: RunOptions = {}
) {
  const world = new ShardWorld(1, 'solo')
  const sequenceNumbers = world.put(...texts)
  const running = world.run(await world.claim(), typeof script === 'function' ? script(world) : script, options)
  await world.clock.advance(500)
  return { world, running, sequenceNumbers }
}

/** Works on one record after another, 3 s each, and checkpoints at the end, as most do; stops when it is told to. */
export async function workOn(
  { records, checkpointer, signal }: ProcessRecordsInput,
  world: ShardWorld,
  done: string[]
) {
  for (const record of records) {
    await world.clock.sleep(3_000, signal)
    if (signal.aborted) break
    done.push(record.text())
  }
  await checkpointer.checkpoint()
}

/** What a promise is rejected with, or its value. */
export const failureOf = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error)

/** The calls of the processor once the consumer has come to its end. */
export const ended = async (world: ShardWorld, running: Running): Promise<string[]> => {
  await world.until(running)
  return running.calls()
}
