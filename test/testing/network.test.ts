import { expect } from 'chai'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { FAULT_PROFILES, type Fault, FaultPlan, type FaultProfile, type ServiceCall } from '../../src/testing/faults.ts'
import { Gate } from '../../src/testing/gate.ts'
import { Line, type Partition } from '../../src/testing/network.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const CALL: ServiceCall = { service: 'dynamodb', call: 'claim', worker: 'w1', isWrite: true }
const TIMEOUT_MS = 2_500

/** Every request takes 10 ms there, and every answer 10 ms back. */
const TEN_MS: FaultProfile = {
  ...FAULT_PROFILES.none,
  dynamodb: { ...FAULT_PROFILES.none.dynamodb, latencyMs: [[0, 10]] },
  kinesis: { ...FAULT_PROFILES.none.kinesis, latencyMs: [[0, 10]] }
}

/** A line with one fault on it, what was carried out behind it, and what the caller heard. */
function aLine(fault: Fault = { kind: 'none' }) {
  const clock = new VirtualClock()
  const gate = new Gate('w1')
  const faults = new FaultPlan(TEN_MS, seededRandom(1), () => clock.monotonicMs())
  faults.script({}, fault)
  const line = new Line({ clock, gate, faults, timeoutMs: { dynamodb: TIMEOUT_MS, kinesis: 10_000 } })
  const landedAtMs: number[] = []
  const heard: { answer?: unknown; error?: unknown; atMs?: number } = {}
  const call = (about = CALL, signal?: AbortSignal): void => {
    const work = async (): Promise<string> => {
      landedAtMs.push(clock.monotonicMs())
      return 'answer'
    }
    void line.call(about, signal, work).then(
      answer => Object.assign(heard, { answer, atMs: clock.monotonicMs() }),
      (error: unknown) => Object.assign(heard, { error, atMs: clock.monotonicMs() })
    )
  }
  return { clock, gate, line, faults, landedAtMs, heard, call }
}

const isTimeout = (error: unknown): boolean =>
  error instanceof ServiceError && error.kind === 'timeout' && error.retryable

describe('Line', () => {
  it('takes a request there and its answer back', async () => {
    const { clock, landedAtMs, heard, call } = aLine()
    call()
    await clock.advance(1_000)
    expect(landedAtMs).to.deep.equal([10])
    expect(heard).to.deep.equal({ answer: 'answer', atMs: 20 })
  })

  it('rejects as the service does', async () => {
    const { clock, line } = aLine()
    const refused = new ServiceError('not-found', 'no', { retryable: false })
    const failing = line.call(CALL, undefined, () => Promise.reject(refused)).catch((error: unknown) => error)
    await clock.advance(20)
    expect(await failing).to.equal(refused)
  })

  const outcomes: readonly [Fault, landsAtMs: readonly number[], failsAtMs: number][] = [
    [{ kind: 'lost-request' }, [], TIMEOUT_MS],
    [{ kind: 'lost-request', failsAfterMs: 300 }, [], 300],
    [{ kind: 'lost-answer' }, [10], TIMEOUT_MS],
    [{ kind: 'lost-answer', failsAfterMs: 300 }, [10], 300],
    [{ kind: 'lost-answer', failsAfterMs: 1 }, [10], 10],
    [{ kind: 'late-request', landsInMs: 4_000 }, [TIMEOUT_MS + 4_000], TIMEOUT_MS],
    [{ kind: 'hang' }, [], TIMEOUT_MS]
  ]
  for (const [fault, landsAtMs, failsAtMs] of outcomes) {
    it(`times out where there is ${JSON.stringify(fault)}`, async () => {
      const { clock, landedAtMs, heard, call } = aLine(fault)
      call()
      await clock.advance(20_000)
      expect(landedAtMs).to.deep.equal(landsAtMs)
      expect(heard.atMs).to.equal(failsAtMs)
      expect(isTimeout(heard.error)).to.equal(true)
    })
  }

  it('rejects at once where the service is throttled, or an iterator has expired', async () => {
    const throttled = aLine({ kind: 'throttled' })
    const expired = aLine({ kind: 'expired-iterator' })
    for (const { clock, call, landedAtMs, heard } of [throttled, expired]) {
      call()
      await clock.advance(100)
      expect([landedAtMs, heard.atMs]).to.deep.equal([[], 10])
    }
    expect(throttled.heard.error).to.be.instanceOf(ThrottledError)
    expect(expired.heard.error).to.be.instanceOf(ServiceError).with.property('kind', 'expired-iterator')
  })

  it('times out where the service is too slow, and what was asked for is done all the same', async () => {
    for (const latencyMs of [TIMEOUT_MS + 500, TIMEOUT_MS - 500]) {
      const { clock, faults, landedAtMs, heard, call } = aLine()
      faults.profile = { ...TEN_MS, dynamodb: { ...TEN_MS.dynamodb, latencyMs: [[0, latencyMs]] } }
      call()
      await clock.advance(20_000)
      expect(landedAtMs).to.deep.equal([latencyMs])
      expect([heard.atMs, isTimeout(heard.error)]).to.deep.equal([TIMEOUT_MS, true])
    }
  })

  it('rejects with the reason of a signal that aborts, while the request goes on', async () => {
    const { clock, landedAtMs, heard, call } = aLine()
    const stop = new AbortController()
    call(CALL, stop.signal)
    await clock.advance(5)
    stop.abort(new Error('enough'))
    await clock.advance(100)
    expect(heard.error).to.have.property('message', 'enough')
    expect([heard.atMs, landedAtMs]).to.deep.equal([5, [10]])
  })

  it('tells when a scripted call has landed, before its answer is on its way', async () => {
    const { clock, faults, call, heard, gate } = aLine()
    faults.script({ call: 'release' }, { kind: 'none' }, { onLanded: () => gate.kill() })
    call({ ...CALL, call: 'claim' })
    await clock.advance(100)
    expect(heard.answer).to.equal('answer')
    call({ ...CALL, call: 'release' })
    await clock.advance(10_000)
    expect([heard.atMs, gate.isAlive]).to.deep.equal([20, false])
  })

  describe('of a process that stands still', () => {
    it('sends nothing', async () => {
      const { clock, gate, landedAtMs, call } = aLine()
      gate.close()
      call()
      await clock.advance(10_000)
      expect(landedAtMs).to.deep.equal([])
      gate.open()
      await clock.advance(100)
      expect(landedAtMs).to.deep.equal([10_010])
    })

    it('carries what was sent, but has it hear nothing', async () => {
      const { clock, gate, landedAtMs, heard, call } = aLine()
      call()
      await clock.advance(5)
      gate.close()
      await clock.advance(10_000)
      expect([landedAtMs, heard]).to.deep.equal([[10], {}])
      gate.open()
      await clock.settle()
      expect(heard).to.deep.equal({ answer: 'answer', atMs: 10_005 })
    })
  })

  describe('that is cut', () => {
    const cuts: readonly [Partition, dynamodbLands: boolean, kinesisLands: boolean][] = [
      ['dynamodb', false, true],
      ['kinesis', true, false],
      ['both', false, false],
      ['answers', true, true]
    ]
    for (const [partition, ...lands] of cuts) {
      it(`carries what is not cut off by ${partition}`, async () => {
        for (const [index, service] of (['dynamodb', 'kinesis'] as const).entries()) {
          const { clock, line, landedAtMs, heard, call } = aLine()
          line.partition = partition
          call({ ...CALL, service })
          await clock.advance(20_000)
          expect(landedAtMs.length, service).to.equal(lands[index] ? 1 : 0)
          expect(isTimeout(heard.error), service).to.equal(!lands[index] || partition === 'answers')
        }
      })
    }

    it('loses what is on its way, there and back', async () => {
      for (const [cutAtMs, lands] of [
        [5, []],
        [15, [10]]
      ] as const) {
        const { clock, line, landedAtMs, heard, call } = aLine()
        call()
        await clock.advance(cutAtMs)
        line.partition = 'both'
        await clock.advance(20_000)
        expect([landedAtMs, heard.atMs]).to.deep.equal([lands, TIMEOUT_MS])
      }
    })
  })
})
