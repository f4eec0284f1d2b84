import { expect } from 'chai'
import { TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import { ChildPool } from '../../src/multilang/child-pool.ts'
import { ChildProcessor } from '../../src/multilang/child-processor.ts'
import type { InitializeInput, ShutdownRequestedInput } from '../../src/processor/record-processor.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { collectingLogger } from '../support/collecting-logger.ts'
import { ScriptedChildren, type Traits } from './scripted-children.ts'

const PLACE = { shardId: 'a', streamName: 'orders', streamArn: 'arn:aws:kinesis:us-east-1:123456789012:stream/orders' }

async function begun(traits: Traits) {
  const clock = new VirtualClock()
  const children = new ScriptedChildren(traits)
  const pool = new ChildPool({
    ...{ command: ['a-processor'], door: children, clock, logger: collectingLogger() },
    ...{ exitTimeoutMs: 1_000, answerTimeoutMs: undefined, shardsPerChild: 1, partingMs: 2_000 },
    died: () => {}
  })
  const processor = new ChildProcessor(pool)
  const entered = processor.enter({ ...PLACE, checkpoint: TRIM_HORIZON }, new AbortController().signal)
  await clock.advance(1)
  await entered
  const initialized = processor.initialize(PLACE as InitializeInput)
  await clock.advance(1)
  await initialized
  return { clock, child: children.last, processor }
}

describe('ChildProcessor', () => {
  it('waits so long, and no longer, for a child that has lost its lease and does not answer', async () => {
    const { clock, child, processor } = await begun({ ignoresEnd: true, on: { leaseLost: () => {} } })
    let isTold = false
    const telling = processor.leaseLost({ shardId: 'a' }).then(() => {
      isTold = true
    })
    await clock.advance(1_900)
    expect(isTold).to.equal(false)
    await clock.advance(200)
    await telling
    const closed = processor.close()
    await clock.advance(3_000)
    await closed
    expect(child.actions).to.deep.equal(['initialize', 'leaseLost'])
    expect(child.signals).to.deep.equal(['SIGTERM'])
  })

  it('ends a child that does not answer shutdownRequested once its shard is gone, and not before', async () => {
    const { clock, child, processor } = await begun({ on: { shutdownRequested: () => {} } })
    const lost = new AbortController()
    const asked = processor
      .shutdownRequested({ ...PLACE, signal: lost.signal } as ShutdownRequestedInput)
      .catch(error => error)
    await clock.advance(600_000)
    expect(child.isOver).to.equal(false)
    lost.abort('lost')
    await clock.advance(1_900)
    expect(child.isOver).to.equal(false)
    await clock.advance(200)
    expect(child.signals).to.deep.equal(['SIGKILL'])
    expect(await asked)
      .to.have.property('message')
      .that.includes('after its shard was given back')
    expect(clock.sleeping, 'timers').to.equal(0)
  })

  it('waits no longer than it has to for one that answers', async () => {
    const { clock, child, processor } = await begun({})
    const told = processor.leaseLost({ shardId: 'a' }).then(() => processor.close())
    await clock.advance(1)
    await told
    expect(child.isOver).to.equal(true)
    expect(clock.sleeping, 'timers').to.equal(0)
  })
})
