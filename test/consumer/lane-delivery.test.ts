import { getEventListeners } from 'node:events'
import { expect } from 'chai'
import { type LaneCall, LaneDelivery, type LaneDeliveryOptions } from '../../src/consumer/lane-delivery.ts'
import { ProgressWriter } from '../../src/consumer/progress-writer.ts'
import type { CallOutcome } from '../../src/consumer/user-call.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import { comparePositions, type ExtendedSequenceNumber, TRIM_HORIZON } from '../../src/model/sequence-number.ts'
import type { RetrievedRecords } from '../../src/retrieval/retriever.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { seeds } from '../support/seeds.ts'

const UNLIMITED = { maxRecords: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY, windowMs: 0 }
const DONE: CallOutcome = { kind: 'done' }
const HALTED: CallOutcome = { kind: 'gave-up', lastResort: 'halt', error: new Error('poison') }

const numberOf = ({ sequenceNumber }: ExtendedSequenceNumber): number => Number(sequenceNumber)

interface Given extends Partial<LaneDeliveryOptions> {
  readonly store?: (at: number) => Promise<void>
}

/** Records are numbered from 1, and as many bytes long; their key is `keyOf` their number. */
function aDelivery(settleBatch: (call: LaneCall) => Promise<CallOutcome>, { store, ...given }: Given = {}) {
  const clock = new VirtualClock()
  const [interrupt, giveUp] = [new AbortController(), new AbortController()]
  const seen = { stored: 0, progressed: 0, released: [] as number[], answers: [] as string[], most: 0 }
  let next = 1
  const delivery: LaneDelivery = new LaneDelivery({
    ...{ perShard: 4, by: 'key', maxInFlight: 100, limits: { ...UNLIMITED, maxRecords: 1 } },
    ...{ from: TRIM_HORIZON, keepsNothing: true },
    makeWriter: (mark, stored) =>
      new ProgressWriter({
        ...{ mark, stored, intervalMs: 1_000, clock, random: seededRandom(2), failed: () => {} },
        write: async position => {
          expect(numberOf(position)).to.be.above(seen.stored)
          await store?.(numberOf(position))
          seen.stored = numberOf(position)
        }
      }),
    unpack: ({ records }) => ({
      records: records as ConsumedRecord[],
      upTo: records.at(-1) as ConsumedRecord,
      settled: 0
    }),
    beforehand: async () => {},
    settleBatch: call => {
      const last = Math.max(...call.records.map(numberOf))
      seen.most = Math.max(seen.most, last - seen.stored)
      return settleBatch(call)
    },
    progressed: position => {
      seen.progressed = Number(position.sequenceNumber) || 0
    },
    answerSettled: ({ records, bytes }) => seen.answers.push(`${records} of ${bytes}`),
    ...{ interrupt: interrupt.signal, giveUp: giveUp.signal, clock },
    ...given
  })
  const answer = (keys: readonly string[]): RetrievedRecords => {
    const first = next
    const records = keys.map(
      partitionKey => new ConsumedRecord({ sequenceNumber: String(next++), partitionKey, data: new Uint8Array(2) })
    )
    const release = (): void => void seen.released.push(first)
    return { kind: 'records', records, bytes: 0, millisBehindLatest: 0, takenApart: () => {}, release }
  }
  return { clock, interrupt, giveUp, seen, delivery, answer }
}

/** What comes of a promise, to be looked at while time goes on. */
function watched<T>(promise: Promise<T>): () => T | undefined {
  let outcome: T | undefined
  void promise.then(value => {
    outcome = value
  })
  return () => outcome
}

describe('LaneDelivery', () => {
  it('takes answers in while others are under way, as many calls at a time as may be, one for each key', async () => {
    const began: string[] = []
    const { clock, seen, delivery, answer } = aDelivery(async ({ records, settled }) => {
      const [record] = records as [ConsumedRecord]
      began.push(`${record.partitionKey}${numberOf(record)} at ${clock.monotonicMs()}`)
      await clock.sleep(100)
      settled(records)
      return DONE
    })
    const first = watched(delivery.accept(answer(['a', 'a', 'b'])))
    const second = watched(delivery.accept(answer(['c', 'd', 'e'])))
    await clock.settle()
    expect([first(), second()]).to.deep.equal([DONE, DONE])
    await clock.advance(10_000)
    expect(began).to.deep.equal(['a1 at 0', 'b3 at 0', 'c4 at 0', 'd5 at 0', 'e6 at 100', 'a2 at 100'])
    expect(seen).to.include({ stored: 6, progressed: 6 })
    expect(seen.released).to.have.members([1, 4])
    expect(seen.answers).to.have.members(['3 of 6', '3 of 6'])
    expect(delivery.accepted).to.include({ sequenceNumber: '6' })
  })

  it('has no more records under way past what is stored than it may', async () => {
    let isStoring = false
    const { clock, seen, delivery, answer } = aDelivery(
      async ({ records, settled }) => {
        settled(records)
        return DONE
      },
      {
        maxInFlight: 10,
        store: async () => {
          while (!isStoring) await clock.sleep(100)
        }
      }
    )
    const accepted = watched(delivery.accept(answer(Array.from({ length: 35 }, (_, i) => `k${i % 7}`))))
    await clock.advance(5_000)
    expect([accepted(), seen.most]).to.deep.equal([undefined, 10])
    isStoring = true
    await clock.advance(5_000)
    expect(accepted()).to.deep.equal(DONE)
    expect(seen).to.include({ most: 10, stored: 35 })
  })

  it('waits for a window, but not where nothing more can come', async () => {
    const began: string[] = []
    const { clock, delivery, answer } = aDelivery(
      async ({ records, settled }) => {
        began.push(`${records.length} at ${clock.monotonicMs()}`)
        settled(records)
        return DONE
      },
      { by: 'one', maxInFlight: 10, makeWriter: undefined, limits: { ...UNLIMITED, maxRecords: 8, windowMs: 5_000 } }
    )
    await delivery.accept(answer(['a', 'b', 'c']))
    await clock.advance(6_000)
    await delivery.accept(answer(Array(9).fill('a')))
    await clock.advance(6_000)
    await delivery.accept(answer(['a']))
    const flushed = watched(delivery.flush())
    await clock.settle()
    expect(flushed()).to.deep.equal(DONE)
    expect(began).to.deep.equal(['3 at 5000', '8 at 6000', '1 at 11000', '1 at 12000'])
    const full = aDelivery(async () => DONE, {
      ...{ by: 'one', maxInFlight: 5, limits: { ...UNLIMITED, windowMs: 300_000 } },
      settleBatch: async ({ records, settled }) => {
        settled(records)
        return DONE
      }
    })
    const accepted = watched(full.delivery.accept(full.answer(Array(12).fill('a'))))
    await full.clock.advance(10_000)
    expect(accepted()).to.deep.equal(DONE)
  })

  it('wakes in time for a lane that comes out of a call due before the others', async () => {
    const began: string[] = []
    const { clock, delivery, answer } = aDelivery(
      async ({ records, settled }) => {
        began.push(`${(records[0] as ConsumedRecord).partitionKey} at ${clock.monotonicMs()}`)
        await clock.sleep(900)
        settled(records)
        return DONE
      },
      { limits: { ...UNLIMITED, maxRecords: 2, windowMs: 1_000 } }
    )
    // The call with the first two begins at once; the third waits from then on, the lane of b from later on.
    await delivery.accept(answer(['a', 'a', 'a']))
    await clock.advance(850)
    await delivery.accept(answer(['b']))
    await clock.advance(5_000)
    expect(began).to.deep.equal(['a at 0', 'a at 1000', 'b at 1850'])
  })

  it('stops at a failure for good: tells once nothing is under way, keeps no memory, and stores what is settled', async () => {
    const { clock, seen, delivery, answer } = aDelivery(async ({ records, settled, interrupt }) => {
      const [record] = records as [ConsumedRecord]
      if (record.partitionKey === 'bad') return HALTED
      await clock.sleep(record.partitionKey === 'slow' ? 5_000 : 10)
      if (interrupt.aborted && record.partitionKey === 'slow') return { kind: 'interrupted' }
      settled(records)
      return DONE
    })
    await delivery.accept(answer(['good', 'slow', 'other', 'good']))
    await clock.advance(2_000)
    expect(seen.stored).to.equal(1)
    const accepted = watched(delivery.accept(answer(['bad', 'other'])))
    await clock.advance(100)
    expect(delivery.trouble.aborted).to.equal(true)
    const flushed = watched(delivery.flush())
    await clock.advance(2_000)
    expect([accepted(), flushed()]).to.deep.equal([DONE, undefined])
    await clock.advance(2_000)
    expect(flushed()).to.equal(HALTED)
    expect(delivery.settledAhead().map(numberOf)).to.deep.equal([3, 4, 6])
    expect(seen.released).to.have.length(2)
    expect(seen.stored).to.equal(1)
    await delivery.windDown()
    delivery.close()
    expect(seen.released).to.have.length(2)
  })

  it('halts where a call is broken, or a key cannot be told, after everything before it', async () => {
    const broken = aDelivery(() => Promise.reject(new Error('a bug')))
    await broken.delivery.accept(broken.answer(['a']))
    const outcome = watched(broken.delivery.flush())
    await broken.clock.settle()
    expect(outcome()).to.have.property('kind', 'gave-up')
    const settled: number[] = []
    const unkeyed = aDelivery(
      async ({ records, settled: tell }) => {
        settled.push(...records.map(numberOf))
        tell(records)
        return DONE
      },
      { by: ({ partitionKey }) => (partitionKey === '?' ? (undefined as unknown as string) : partitionKey) }
    )
    const accepted = watched(unkeyed.delivery.accept(unkeyed.answer(['a', 'a', '?', 'a'])))
    await unkeyed.clock.advance(5_000)
    expect(accepted())
      .to.have.nested.property('error.message')
      .that.matches(/concurrency\.by: returned a undefined for 3/)
    expect(settled).to.deep.equal([1, 2])
    expect(unkeyed.seen.stored).to.equal(2)
  })

  it('leaves no listener behind on signals that outlive it', async () => {
    const { clock, interrupt, giveUp, delivery, answer } = aDelivery(async ({ records, settled }) => {
      settled(records)
      return DONE
    })
    await delivery.accept(answer(['a', 'b']))
    await clock.advance(2_000)
    await delivery.windDown()
    delivery.close()
    for (const { signal } of [interrupt, giveUp]) expect(getEventListeners(signal, 'abort')).to.have.length(0)
    expect(clock.sleeping).to.equal(0)
  })

  it('winds down where reading has failed: begins nothing new, and does not wait for what is tried again and again', async () => {
    const began = new Set<number>()
    const { clock, seen, delivery, answer } = aDelivery(async ({ records, settled, begun, interrupt, isHurried }) => {
      begun()
      for (const record of records) began.add(numberOf(record))
      if (records.some(record => record.partitionKey === 'failing')) {
        if (!isHurried) while (!interrupt.aborted) await clock.sleep(1_000, interrupt)
        return { kind: 'interrupted' }
      }
      await clock.sleep(100)
      settled(records)
      return DONE
    })
    await delivery.accept(answer(['failing', 'a', 'a', 'b', 'a', 'a']))
    await clock.advance(150)
    const down = watched(delivery.windDown().then(() => true))
    await clock.advance(5_000)
    expect(down()).to.equal(true)
    expect([...began].sort()).to.deep.equal([1, 2, 3, 4])
    expect(delivery.settledAhead().map(numberOf)).to.deep.equal([2, 3, 4])
    expect(seen.stored).to.equal(0)
    expect(seen.released).to.have.length(1)
  })

  it('goes on winding down where an end is asked for meanwhile', async () => {
    const { clock, interrupt, seen, delivery, answer } = aDelivery(
      async ({ records, settled, begun, interrupt: over }) => {
        if (over.aborted) return { kind: 'interrupted' }
        begun()
        await clock.sleep(records.some(({ partitionKey }) => partitionKey === 'slow') ? 200 : 10)
        if (over.aborted) return { kind: 'interrupted' }
        settled(records)
        return DONE
      }
    )
    await delivery.accept(answer(['slow', 'slow', 'a']))
    await clock.advance(50)
    const down = watched(delivery.windDown().then(() => true))
    await clock.advance(200)
    interrupt.abort('drain')
    await clock.advance(1_000)
    expect([down(), seen.stored, delivery.settledAhead()]).to.deep.equal([true, 3, []])
  })

  it('settles each record once, each key in order, and stores no further than that, whatever fails and whenever it ends', async () => {
    for (const seed of seeds(150)) {
      const random = seededRandom(seed)
      const chance = (of: number): boolean => random.next() < of
      const log: ConsumedRecord[] = []
      const underWay = new Set<string>()
      const perShard = 1 + Math.floor(random.next() * 6)
      const maxInFlight = perShard + Math.floor(random.next() * 30)
      const windowMs = chance(0.5) ? 0 : Math.floor(random.next() * 300)
      const failing = random.next() * 0.3
      let calls = 0
      const world = aDelivery(
        async ({ records, settled, begun, interrupt }) => {
          const [{ partitionKey }] = records as [ConsumedRecord]
          expect(underWay.has(partitionKey), `SEED=${seed}`).to.equal(false)
          underWay.add(partitionKey)
          expect(++calls, `SEED=${seed}`).to.be.at.most(perShard)
          const end = (outcome: CallOutcome): CallOutcome => {
            underWay.delete(partitionKey)
            calls -= 1
            return outcome
          }
          let left = [...records]
          for (;;) {
            if (interrupt.aborted) return end({ kind: 'interrupted' })
            begun()
            await world.clock.sleep(random.next() * 100)
            const count = chance(failing) ? Math.floor(random.next() * left.length) : left.length
            const done = left.slice(0, count)
            left = left.slice(count)
            log.push(...done)
            settled(done)
            if (left.length === 0) return end(DONE)
            await world.clock.sleep(50, interrupt)
          }
        },
        {
          ...{
            perShard,
            maxInFlight,
            limits: { maxRecords: 1 + Math.floor(random.next() * 4), maxBytes: 1_000, windowMs }
          },
          store: async () => world.clock.sleep(random.next() * 200)
        }
      )
      const { clock, delivery, seen } = world
      let last = 0
      const reading = (async () => {
        while (!world.interrupt.signal.aborted && last < 150) {
          const answer = world.answer(
            Array.from({ length: 1 + Math.floor(random.next() * 20) }, () => `k${Math.floor(random.next() * 8)}`)
          )
          last += answer.records.length
          if ((await delivery.accept(answer)).kind !== 'done') break
          if (chance(0.1)) await delivery.flush()
        }
        await delivery.windDown()
        delivery.close()
        return true
      })()
      const ended = watched(reading)
      await clock.advance(random.next() * 4_000)
      world.interrupt.abort('drain')
      await clock.advanceUntil(() => ended() === true, 60_000)
      const numbers = log.map(numberOf)
      expect(new Set(numbers).size, `SEED=${seed}`).to.equal(numbers.length)
      for (let key = 0; key < 8; key++) {
        const ofKey = log.filter(({ partitionKey }) => partitionKey === `k${key}`)
        for (const [i, record] of ofKey.entries()) {
          const before = ofKey[i - 1]
          expect(before === undefined || comparePositions(before, record) < 0, `SEED=${seed}`).to.equal(true)
        }
      }
      // Everything that was settled is stored: nothing is processed again elsewhere.
      expect(seen.stored, `SEED=${seed}`).to.equal(numbers.length)
      expect(Math.max(0, ...numbers), `SEED=${seed}`).to.equal(numbers.length)
      expect(seen.most, `SEED=${seed}`).to.be.at.most(maxInFlight)
      expect(new Set(seen.released).size, `SEED=${seed}`).to.equal(seen.released.length)
      expect(clock.sleeping, `SEED=${seed}`).to.equal(0)
    }
  })

  it('leaves what is under way as it is when the shard is given up, and gives its memory back', async () => {
    const { clock, giveUp, seen, delivery, answer } = aDelivery(async ({ interrupt }) => {
      await clock.sleep(60_000, interrupt)
      return { kind: 'interrupted' }
    })
    await delivery.accept(answer(['a', 'b', 'a']))
    giveUp.abort('lost')
    const down = watched(delivery.windDown().then(() => true))
    await clock.settle()
    expect(down()).to.equal(true)
    delivery.close()
    expect(seen.released).to.deep.equal([1])
    expect(seen.stored).to.equal(0)
  })
})
