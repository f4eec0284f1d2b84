import { expect } from 'chai'
import { ThrottledError } from '../../src/model/errors.ts'
import { ReadLimits } from '../../src/testing/fake-read-limits.ts'
import { FakeStream } from '../../src/testing/fake-stream.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

function someShards() {
  const clock = new VirtualClock()
  const stream = new FakeStream('orders', 2, 1, () => clock.epochMs())
  const [shard, other] = stream.shards
  if (shard === undefined || other === undefined) throw new Error('There are two shards')
  const limits = new ReadLimits(clock)
  const read = (bytes = 0, of = shard): void => {
    limits.throttle(of)
    limits.note(of, [{ sequenceNumber: '1', partitionKey: 'key', data: new Uint8Array(bytes), arrivedAtMs: 0 }])
  }
  return { clock, read, other }
}

describe('ReadLimits', () => {
  it('let a shard be read five times within any second, and leave the others alone', async () => {
    const { clock, read, other } = someShards()
    for (let index = 0; index < 5; index++) {
      read()
      await clock.advance(100)
    }
    expect(() => read()).to.throw(ThrottledError, '5 reads')
    read(0, other)
    await clock.advance(500)
    read()
    expect(() => read()).to.throw(ThrottledError)
  })

  it('let 2 MiB be read within a second, and have a larger answer block for longer', async () => {
    const { clock, read } = someShards()
    read(6 * 1024 * 1024)
    await clock.advance(2_999)
    expect(() => read()).to.throw(ThrottledError, 'bytes')
    await clock.advance(1)
    read()
  })

  it('let no more than 2 MiB a second be read in the long run', async () => {
    const { clock, read } = someShards()
    read(1.9 * 1024 * 1024)
    read(10 * 1024 * 1024)
    await clock.advance(5_900)
    expect(() => read()).to.throw(ThrottledError, 'bytes')
    await clock.advance(100)
    read()
  })
})
