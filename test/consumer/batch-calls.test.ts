import { expect } from 'chai'
import type { Checkpointer } from '../../src/checkpoint/checkpointer.ts'
import { LEAVE_BEHIND_MS } from '../../src/consumer/call-limit.ts'
import { CheckpointRefusedError } from '../../src/model/errors.ts'
import type { ConsumedRecord } from '../../src/model/record.ts'
import { HandlerProcessor } from '../../src/processor/handler-processor.ts'
import type { ProcessRecordsInput } from '../../src/processor/record-processor.ts'
import { aFailurePolicy } from '../support/builders.ts'
import { ShardWorld } from './shard-world.ts'

const LIMIT_MS = 10_000
const SKIP = aFailurePolicy({ attempts: 1, bisect: true, lastResort: 'skip' })

const textOf = (records: readonly ConsumedRecord[]): string => records.map(record => record.text()).join(' ')

async function refusal(checkpoint: Promise<unknown>): Promise<string> {
  const error = await checkpoint.then(
    () => undefined,
    (cause: unknown) => cause
  )
  return error instanceof CheckpointRefusedError ? error.because : `${error}`
}

describe('BatchCalls', () => {
  it('gives a processor an array of its own each time, and plain data', async () => {
    const world = new ShardWorld()
    world.put('a', 'b')
    const seen: string[] = []
    const processRecords = (input: ProcessRecordsInput): void => {
      const { records, ...rest } = { ...input }
      seen.push(`${textOf(records)} ${rest.failures} ${rest.signal.aborted}`)
      const array = records as ConsumedRecord[]
      array.length = 0
      if (seen.length < 3) throw new Error('again')
    }
    world.run(await world.claim(), { processRecords })
    await world.clock.advance(10_000)
    expect(seen).to.deep.equal(['a b 0 false', 'a b 1 false', 'a b 2 false'])
  })

  it('lets a call settle records for as long as it is waited for, and no longer', async () => {
    const world = new ShardWorld()
    world.put('a', 'b', 'c')
    const seen: string[] = []
    let late: (() => void) | undefined
    world.run(await world.claim(), {
      processRecords: ({ records, settle, checkpointer }) => {
        seen.push(textOf(records))
        late?.()
        if (seen.length === 1) {
          settle(records[0] as ConsumedRecord)
          late = () => settle(records[1] as ConsumedRecord)
          throw new Error('after the first')
        }
        return checkpointer.checkpoint()
      }
    })
    await world.clock.advance(10_000)
    expect(seen).to.deep.equal(['a b c', 'b c'])
  })

  it('leaves a call behind that does not return: what it says afterwards counts for nothing', async () => {
    const world = new ShardWorld()
    const put = world.put('a', 'b')
    const left: { checkpointer: Checkpointer; records: readonly ConsumedRecord[] }[] = []
    const running = world.run(
      await world.claim(),
      {
        processRecords: ({ checkpointer, records }) => {
          if (left.length > 0) return checkpointer.checkpoint()
          left.push({ checkpointer, records })
          return new Promise(() => {})
        }
      },
      { handlerTimeoutMs: LIMIT_MS }
    )
    await world.clock.advance(LIMIT_MS + LEAVE_BEHIND_MS - 1)
    const [{ checkpointer, records } = expect.fail('not called')] = left
    expect(await refusal(checkpointer.checkpoint())).to.equal('void')
    expect(await refusal(checkpointer.checkpoint(records[0]))).to.equal('undefined')
    await world.clock.advance(2_000)
    expect(running.calls().filter(line => line.startsWith('records'))).to.deep.equal([
      'records a b',
      'records b',
      'records b OVERLAPS'
    ])
    expect(await refusal(checkpointer.checkpoint(records[1]))).to.equal('void')
    expect(await refusal(checkpointer.prepareCheckpoint(records[1]))).to.equal('void')
    expect(await world.checkpoint()).to.equal(put[1])
  })

  it('says since when the oldest call is under way that is waited for', async () => {
    const world = new ShardWorld()
    world.put('a')
    const running = world.run(
      await world.claim(),
      { processRecords: () => world.clock.sleep(200_000) },
      { stallMs: 60_000 }
    )
    for (let s = 0; s < 100; s += 5) {
      await world.clock.advance(5_000)
      running.consumer.lookAfter()
    }
    expect(running.consumer.status.stall).to.include({ waitingFor: 'processor' })
    await world.clock.advance(150_000)
    running.consumer.lookAfter()
    expect(running.consumer.status.stall).to.equal(undefined)
    expect(running.log).to.include.members(['! stalled processor report', '! progressed'])
  })

  it('checkpoints what a handler has left behind it, also what was given up, and passes over nothing', async () => {
    const world = new ShardWorld()
    const put = world.put('a', 'b', 'bad')
    const calls: string[] = []
    const running = world.run(
      await world.claim(),
      {},
      {
        policy: SKIP,
        processor: () =>
          new HandlerProcessor(records => {
            calls.push(textOf(records))
            if (records.some(record => record.text() === 'bad')) throw new Error('bad')
          })
      }
    )
    await world.clock.advance(5_000)
    expect(calls).to.deep.equal(['a b bad', 'a', 'b', 'bad'])
    expect(running.log).to.include('! skip 1')
    expect(await world.checkpoint()).to.equal(put[2])
  })

  it('leaves checkpoints to a processor that keeps something, though records after it are settled', async () => {
    const world = new ShardWorld()
    const put = world.put('a', 'b', 'c')
    world.run(
      await world.claim(),
      { processRecords: ({ records }) => (records.length > 1 ? { failed: records.slice(1, 2) } : undefined) },
      { policy: SKIP }
    )
    await world.clock.advance(5_000)
    expect(await world.checkpoint()).to.equal('TRIM_HORIZON')
    expect(put).to.have.length(3)
  })

  it('calls nothing while the shard is paused, also what is about to be tried again', async () => {
    const world = new ShardWorld()
    world.put('a')
    let calls = 0
    const running = world.run(
      await world.claim(),
      {
        processRecords: () => {
          calls += 1
          throw new Error('again')
        }
      },
      { policy: aFailurePolicy({ attempts: Number.POSITIVE_INFINITY }) }
    )
    await world.clock.advance(3_000)
    running.consumer.pause()
    const before = calls
    await world.clock.advance(60_000)
    expect(calls).to.equal(before)
    running.consumer.resume()
    await world.clock.advance(5_000)
    expect(calls).to.be.above(before)
    running.consumer.pause()
    running.consumer.drain()
    await world.until(running)
  })
})
