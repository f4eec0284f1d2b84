import { expect } from 'chai'
import { HandlerProcessor } from '../../src/processor/handler-processor.ts'
import { aFailurePolicy } from '../support/builders.ts'
import { ShardWorld } from './shard-world.ts'

const POISON = aFailurePolicy({ attempts: 1_000, backoff: { firstMs: 100, maxMs: 100 } })

describe('AnswerDelivery', () => {
  it('delivers each answer as one batch, one after another, and gives its memory back after it', async () => {
    const world = new ShardWorld()
    const [_, __, last] = world.put('a', 'b', 'c')
    const reports: number[] = []
    const held: number[] = []
    const running = world.run(
      await world.claim(),
      {
        processRecords: async ({ checkpointer }) => {
          held.push(world.budget.heldBytes)
          await world.clock.sleep(500)
          await checkpointer.checkpoint()
        }
      },
      { maxRecords: 2, batchProcessed: ({ records, durationMs }) => reports.push(records, durationMs) }
    )
    await world.clock.advance(5_000)
    expect(running.calls()).to.deep.equal(['initialize', 'records a b', 'records c'])
    expect(reports).to.deep.equal([2, 500, 1, 500])
    expect(await world.checkpoint()).to.equal(last)
    expect(held.every(bytes => bytes > 0)).to.equal(true)
    running.consumer.drain()
    await world.until(running)
    expect(world.budget.heldBytes).to.equal(0)
  })

  it('settles what lies before records that are settled already, before the shard moves on', async () => {
    const world = new ShardWorld()
    const [_, second] = world.put('a', 'b', 'c')
    const calls: string[] = []
    let isPatient = true
    const running = world.run(
      await world.claim(),
      {},
      {
        policy: POISON,
        processor: () =>
          new HandlerProcessor((records, { settle }) => {
            calls.push(records.map(record => record.text()).join(' '))
            if (!isPatient) return
            const b = records.find(record => record.text() === 'b')
            if (b) settle(b)
            throw new Error('not now')
          })
      }
    )
    await world.clock.advance(1_050)
    isPatient = false
    running.consumer.drain()
    await world.until(running)
    expect(calls[0]).to.equal('a b c')
    expect(new Set(calls.slice(1, -1))).to.deep.equal(new Set(['a c']))
    expect(calls.at(-1)).to.equal('a')
    expect(await world.checkpoint()).to.equal(second)
  })

  it('checkpoints past what was settled ahead, where something after that still fails as the shard moves on', async () => {
    const world = new ShardWorld()
    const [_, second] = world.put('a', 'b', 'c', 'd')
    let isPatient = true
    const running = world.run(
      await world.claim(),
      {},
      {
        policy: POISON,
        processor: () =>
          new HandlerProcessor(records => {
            const bad = isPatient ? 'ac' : 'c'
            return { failed: records.filter(record => bad.includes(record.text())) }
          })
      }
    )
    await world.clock.advance(1_050)
    isPatient = false
    running.consumer.drain()
    await world.until(running)
    expect(await world.checkpoint()).to.equal(second)
  })

  it('delivers nothing again that is settled ahead of what a shard is halted by, once it is resumed', async () => {
    const world = new ShardWorld()
    const last = world.put('a', 'b', 'c', 'd').at(-1)
    const calls: string[] = []
    let isBroken = true
    const running = world.run(
      await world.claim(),
      {},
      {
        policy: aFailurePolicy({ attempts: 2 }),
        processor: () =>
          new HandlerProcessor(records => {
            calls.push(records.map(record => record.text()).join(' '))
            return isBroken ? { failed: records.filter(record => record.text() === 'b') } : undefined
          })
      }
    )
    await world.clock.advance(10_000)
    expect(running.consumer.state).to.equal('halted')
    expect(world.budget.heldBytes).to.equal(0)
    expect(running.consumer.resume()).to.equal(true)
    await world.clock.advance(10_000)
    expect(running.consumer.state).to.equal('halted')
    isBroken = false
    running.consumer.resume()
    await world.clock.advance(10_000)
    expect(calls).to.deep.equal(['a b c d', 'b', 'b', 'b', 'b'])
    expect(await world.checkpoint()).to.equal(last)
  })
})
