import { expect } from 'chai'
import { type DecodedInto, decodeRecords } from '../../src/decoding/decode-records.ts'
import type { DecodeFunction } from '../../src/decoding/decoder.ts'
import { ThrottledError } from '../../src/model/errors.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const record = (number: number): ConsumedRecord =>
  new ConsumedRecord({ sequenceNumber: String(number), partitionKey: 'key', data: new Uint8Array() })
const records = (count: number): ConsumedRecord[] => Array.from({ length: count }, (_, number) => record(number))

function rig() {
  const into: DecodedInto = { decoded: new Map(), refused: new Map() }
  const clock = new VirtualClock()
  const run = (given: readonly ConsumedRecord[], decode: DecodeFunction<unknown>) =>
    decodeRecords(given, decode, into, clock)
  return { into, clock, run }
}

describe('decodeRecords', () => {
  it('decodes without waiting where the decoder does', () => {
    const { into, run } = rig()
    const given = records(1_000)
    expect(run(given, ({ sequenceNumber }) => Number(sequenceNumber))).to.equal(undefined)
    expect(given.map(each => into.decoded.get(each)?.value)).to.deep.equal(given.map((_, number) => number))
  })

  it('decodes some at once where it takes waiting, and says what comes of each', async () => {
    const { into, run } = rig()
    let [atOnce, most] = [0, 0]
    const decode: DecodeFunction<unknown> = async ({ sequenceNumber }) => {
      most = Math.max(most, ++atOnce)
      await Promise.resolve()
      atOnce -= 1
      if (Number(sequenceNumber) % 10 === 0) throw new Error('round')
      return sequenceNumber
    }
    await run(records(300), decode)
    expect(most).to.equal(64)
    expect([into.decoded.size, into.refused.size]).to.deep.equal([270, 30])
  })

  it('lets other things have their turn while it decodes for long', async () => {
    const { into, clock, run } = rig()
    let nowMs = 0
    Object.assign(clock, { monotonicMs: () => nowMs })
    const decoding = run(records(1_000), () => {
      nowMs += 1
      return nowMs
    })
    expect(into.decoded.size, 'in 20 ms').to.equal(20)
    Object.assign(clock, { monotonicMs: () => 0 })
    await clock.advance(0)
    await decoding
    expect(into.decoded.size).to.equal(1_000)
  })

  it('seldom asks what time it is where records take no time', () => {
    const { clock, run } = rig()
    let looks = 0
    Object.assign(clock, { monotonicMs: () => ++looks / 1_000 })
    expect(run(records(6_400), () => 0)).to.equal(undefined)
    expect(looks).to.be.below(110)
  })

  it('throws what the decoder has failed with, and keeps what it has', async () => {
    const { into, run } = rig()
    const failing: DecodeFunction<unknown> = ({ sequenceNumber }) => {
      if (sequenceNumber === '3') throw new ThrottledError('slowly')
      return sequenceNumber
    }
    const given = records(5)
    expect(() => run(given, failing)).to.throw(ThrottledError)
    expect(into.decoded.size).to.equal(3)
    const later = await Promise.resolve(run(given, async each => failing(each))).catch(error => error)
    expect(later).to.be.instanceOf(ThrottledError)
    expect(into.decoded.size).to.equal(4)
    expect(into.refused.size).to.equal(0)
  })

  it('leaves alone what is decoded, or refused, already', () => {
    const { run } = rig()
    const asked: string[] = []
    const given = records(3)
    const decode: DecodeFunction<unknown> = ({ sequenceNumber }) => {
      asked.push(sequenceNumber)
      if (sequenceNumber === '1') throw new Error('no')
      return undefined
    }
    void run(given, decode)
    void run(given, decode)
    expect(asked).to.deep.equal(['0', '1', '2'])
  })
})
