import { expect } from 'chai'
import type { ShardListener } from '../../src/consumer/shard-listener.ts'
import { ShardTroubles } from '../../src/consumer/shard-troubles.ts'
import { ProcessorError } from '../../src/model/errors.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aPosition } from '../support/builders.ts'

const error = new ProcessorError('shard', 'processRecords', 1, new Error('broken'))

function someTroubles() {
  const clock = new VirtualClock()
  const told: string[] = []
  const listener = {
    failed: ({ during }: { during: string }) => told.push(`failed ${during}`),
    checkpointed: () => told.push('checkpointed'),
    processorFailed: () => told.push('processorFailed'),
    paused: () => told.push('paused')
  } as Partial<Record<keyof ShardListener, unknown>> as unknown as ShardListener
  return { clock, told, troubles: new ShardTroubles(listener, clock) }
}

describe('ShardTroubles', () => {
  it('know since when checkpoints cannot be written', async () => {
    const { clock, troubles } = someTroubles()
    const { listener } = troubles
    await clock.advance(1_000)
    const sinceMs = clock.monotonicMs()
    listener.failed({ during: 'read', error, failures: 1 })
    expect(troubles.unwrittenSinceMs).to.equal(undefined)
    listener.failed({ during: 'checkpoint', error, failures: 1 })
    await clock.advance(1_000)
    listener.failed({ during: 'checkpoint', error, failures: 2 })
    expect(troubles.unwrittenSinceMs).to.equal(sinceMs)
    listener.checkpointed(aPosition(1), 1)
    expect(troubles.unwrittenSinceMs).to.equal(undefined)
  })

  it('know whether calls have failed since something was settled', async () => {
    const { clock, troubles } = someTroubles()
    await clock.advance(10_000)
    expect(troubles.failingSinceMs(9_000)).to.equal(undefined)
    troubles.listener.processorFailed(error, 1, 'retry')
    await clock.advance(5_000)
    const nowMs = clock.monotonicMs()
    expect(troubles.failingSinceMs(9_000)).to.equal(nowMs - 9_000)
    expect(troubles.failingSinceMs(4_000)).to.equal(undefined)
  })

  it('pass on everything that they hear', () => {
    const { told, troubles } = someTroubles()
    const { listener } = troubles
    listener.failed({ during: 'checkpoint', error, failures: 1 })
    listener.checkpointed(aPosition(1), 1)
    listener.processorFailed(error, 1, 'retry')
    listener.paused()
    expect(told).to.deep.equal(['failed checkpoint', 'checkpointed', 'processorFailed', 'paused'])
  })
})
