import { expect } from 'chai'
import { ConsumedRecord } from '../../src/model/record.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { type Conduct, conducted, conductedHandler, dawdle, isDrawn } from '../../src/testing/conduct.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const RECORDS = ['10', '20', '30', '40'].map(
  sequenceNumber =>
    new ConsumedRecord({
      ...{ sequenceNumber, subSequenceNumber: 0, partitionKey: 'key' },
      ...{ data: new TextEncoder().encode(sequenceNumber === '20' ? 'poison' : 'fine'), aggregated: false }
    })
)
const isPoison = (record: ConsumedRecord): boolean => record.text() === 'poison'
const numbers = (records: Iterable<{ readonly sequenceNumber: string }>): string[] =>
  [...records].map(({ sequenceNumber }) => sequenceNumber).sort()

/** A handler of all records under a conduct: what it was given, what was settled, and what came of it. */
async function aCall(conduct: Conduct, seed = 1) {
  const given: string[] = []
  const settled: string[] = []
  const ports = { clock: new VirtualClock(), random: seededRandom(seed) }
  const outcome = await conductedHandler(
    conduct,
    ports,
    RECORDS,
    ({ sequenceNumber }) => settled.push(sequenceNumber),
    records => {
      given.push(...numbers(records))
      return undefined
    }
  ).catch(String)
  return { given, settled, outcome }
}

describe('isDrawn', () => {
  it('takes no chance for what never happens', () => {
    const random = seededRandom(1)
    isDrawn(0, random)
    expect(random.next()).to.equal(seededRandom(1).next())
    expect([isDrawn(1, random), isDrawn(1e-9, random)]).to.deep.equal([true, false])
  })
})

describe('dawdle', () => {
  it('takes its time, or never returns', async () => {
    const clock = new VirtualClock()
    const ended: number[] = []
    for (const hanging of [0, 1]) {
      void dawdle({ takesMs: [100, 100], hanging }, { clock, random: seededRandom(1) }).then(() => {
        ended.push(clock.monotonicMs())
      })
    }
    await clock.advance(1_000)
    expect(ended).to.deep.equal([100])
  })
})

describe('conducted', () => {
  const ports = { clock: new VirtualClock(), random: seededRandom(1) }

  it('calls the code, or fails before it does', async () => {
    expect(await conducted({}, ports, RECORDS, () => 'called')).to.equal('called')
    const failing = await conducted({ failing: 1 }, ports, RECORDS, () => 'called').catch(String)
    expect(failing).to.include('makes this call fail')
  })

  it('fails with poison, always', async () => {
    const call = (records: readonly ConsumedRecord[]) =>
      conducted({ poison: isPoison }, ports, records, () => 'called').catch(String)
    expect(await call(RECORDS)).to.include('poison')
    expect(await call(RECORDS.slice(2))).to.equal('called')
  })
})

describe('conductedHandler', () => {
  it('is given everything by default', async () => {
    expect(await aCall({})).to.deep.equal({ given: ['10', '20', '30', '40'], settled: [], outcome: undefined })
    expect((await aCall({ poison: isPoison })).outcome).to.include('poison')
  })

  it('names what was left undone, poison among it', async () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const { given, settled, outcome } = await aCall({ partial: 1, poison: isPoison }, seed)
      const failed = numbers((outcome as { failed: Iterable<ConsumedRecord> }).failed)
      expect([...given, ...failed].sort()).to.deep.equal(['10', '20', '30', '40'])
      expect(failed).to.include('20')
      expect(settled).to.deep.equal([])
    }
  })

  it('settles what was done one by one, and fails', async () => {
    const { given, settled, outcome } = await aCall({ settling: 1, poison: isPoison })
    expect(settled).to.deep.equal(given)
    expect(settled).to.not.include('20')
    expect(outcome).to.include('makes this call fail')
  })
})
