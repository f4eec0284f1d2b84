import { expect } from 'chai'
import { aggregate } from '../../src/kpl/aggregate.ts'
import { memoryControlStore } from '../../src/leases/memory-control-store.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { exactStart } from '../../src/operate/exact-start.ts'
import type { FleetContext } from '../../src/operate/fleet-context.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { FakeKinesis } from '../../src/testing/fake-kinesis.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { shardId } from '../support/builders.ts'

const STREAM = 'clicks'
const [S0] = [shardId(0)]

function aStream() {
  const clock = new VirtualClock()
  const kinesis = new FakeKinesis({ clock })
  kinesis.createStream(STREAM, 1)
  const context: FleetContext = {
    ...{
      applicationName: 'app',
      kinesis: kinesis.port(STREAM),
      store: memoryLeaseStore(),
      control: memoryControlStore()
    },
    ...{ clock, random: seededRandom(1), by: 'ann', durationMs: 10_000 }
  }
  const put = (data: string | Uint8Array = 'x'): string => {
    kinesis.put(STREAM, 'key', data)
    return kinesis.records(STREAM, S0).at(-1)?.sequenceNumber ?? ''
  }
  const start = (startMs: number) => exactStart(context, S0, startMs)
  return { clock, put, start }
}

describe('exactStart', () => {
  it('is the last record that arrived before, however long before', async () => {
    for (const beforeMs of [1, 5_000, 60_000, 3_600_000]) {
      const { clock, put, start } = aStream()
      put()
      const last = put()
      await clock.advance(beforeMs)
      const startMs = clock.epochMs()
      put()
      await clock.advance(1_000)
      put()
      expect(await start(startMs), `${beforeMs} ms`).to.deep.equal({ sequenceNumber: last, subSequenceNumber: 0 })
    }
  })

  it('is the beginning of the shard where nothing arrived before', async () => {
    const { clock, put, start } = aStream()
    const startMs = clock.epochMs()
    expect(await start(startMs)).to.deep.equal({ sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 })
    put()
    expect(await start(startMs)).to.deep.equal({ sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 })
  })

  it('is the last record of an aggregate', async () => {
    const { clock, put, start } = aStream()
    const whole = aggregate([1, 2, 3].map(n => ({ partitionKey: `k${n}`, data: new Uint8Array([n]) })))
    const last = put(whole.data)
    await clock.advance(1_000)
    expect(await start(clock.epochMs())).to.deep.equal({ sequenceNumber: last, subSequenceNumber: 2 })
  })
})
