// Tests a handler in virtual time: a crash, a split and a deploy in a few milliseconds, on nothing but this process.
//
//   node --import tsx examples/simulation.ts
//   SEED=12 node --import tsx examples/simulation.ts
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { WorkerOptions } from 'millrace'
import { simulate } from 'millrace/testing'

const seed = Number(process.env.SEED ?? 1)

/** The program to be tested: counts the clicks of each user. */
function clickCounter(): { options: WorkerOptions; counts: Map<string, Set<string>> } {
  const counts = new Map<string, Set<string>>()
  const options: WorkerOptions = {
    streamName: 'clicks',
    applicationName: 'click-counter',
    startAt: 'TRIM_HORIZON',
    handler: records => {
      // At least once: a click that comes again must not count twice. So it counts ids, not deliveries.
      for (const record of records) {
        const clicks = counts.get(record.partitionKey) ?? new Set()
        counts.set(record.partitionKey, clicks.add(record.text()))
      }
    }
  }
  return { options, counts }
}

describe('click counter', () => {
  it('counts every click of every user, through a crash and a split', async () => {
    const { options, counts } = clickCounter()
    const world = simulate({ seed, faults: 'rough' })
    world.kinesis.createStream('clicks', 2)
    for (let i = 0; i < 1_000; i++) world.kinesis.put('clicks', `user-${i % 50}`, `click-${i}`)

    const first = await world.start(options)
    await world.advance(20_000)
    world.split('clicks')
    for (let i = 1_000; i < 2_000; i++) world.kinesis.put('clicks', `user-${i % 50}`, `click-${i}`)
    world.crash(first)
    await world.start(options)
    await world.untilProcessed()

    assert.equal(counts.size, 50, `SEED=${seed}`)
    for (const clicks of counts.values()) assert.equal(clicks.size, 40, `SEED=${seed}`)
    world.assertOrder()
    await world.stopAll()
  })

  it('is given nothing twice by a deploy', async () => {
    const { options } = clickCounter()
    const world = simulate({ seed, faults: 'calm' })
    world.kinesis.createStream('clicks', 4)
    const old = await world.start(options)
    for (let second = 0; second < 120; second++) {
      world.kinesis.put('clicks', `user-${second % 50}`, `click-${second}`)
      await world.advance(1_000)
      if (second === 30) world.launch(options)
      if (second === 60) void old.stop()
    }
    await world.untilProcessed()
    assert.equal(world.counts().duplicates, 0, `SEED=${seed}`)
    await world.stopAll()
  })

  it('has its checkpoints refused when it wakes after a minute', async () => {
    const { options } = clickCounter()
    const world = simulate({ seed, faults: 'none' })
    world.kinesis.createStream('clicks', 1)
    const sleeper = await world.start(options)
    await world.advance(5_000)
    world.pause(sleeper)
    const other = await world.start(options)
    await world.advance(60_000)
    world.resume(sleeper)
    await world.advance(10_000)
    assert.equal(other.shardIds.length, 1)
    assert.equal(sleeper.events('session:died').length, 1)
    world.assertSound() // no zombie wrote anything
    await world.stopAll()
  })
})
