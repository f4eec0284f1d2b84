import { expect } from 'chai'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { retry } from '../../src/runtime/retry.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const POLICY = { attempts: 4, backoff: { firstMs: 100, maxMs: 1_000 } }

/** Retries work that fails with these errors, one after the other, and then succeeds. */
function retrying(errors: readonly Error[], signal?: AbortSignal) {
  const clock = new VirtualClock()
  const attempts: number[] = []
  let outcome: unknown
  const work = async (attempt: number): Promise<string> => {
    attempts.push(attempt)
    const error = errors[attempt - 1]
    if (error) throw error
    return 'done'
  }
  const done = retry(work, POLICY, { clock, random: seededRandom(1), signal }).then(
    value => {
      outcome = value
    },
    error => {
      outcome = error
    }
  )
  return { clock, attempts, done, outcome: () => outcome }
}

const throttled = () => new ThrottledError('slow down')

describe('retry', () => {
  it('tries again while the failures pass, with a wait in between', async () => {
    const world = retrying([throttled(), throttled()])
    await world.clock.settle()
    expect(world.attempts).to.deep.equal([1])
    await world.clock.advance(1_000)
    expect(world.attempts).to.deep.equal([1, 2, 3])
    expect(world.outcome()).to.equal('done')
  })

  it('rejects with the last error when the attempts are used up', async () => {
    const errors = [throttled(), throttled(), throttled(), throttled()]
    const world = retrying(errors)
    await world.clock.advance(10_000)
    expect(world.attempts).to.have.length(4)
    expect(world.outcome()).to.equal(errors[3])
  })

  it('does not try again what fails for good, nor what is not known to pass', async () => {
    for (const error of [new ServiceError('access-denied', 'no', { retryable: false }), new TypeError('bug')]) {
      const world = retrying([error])
      await world.done
      expect(world.outcome()).to.equal(error)
      expect(world.attempts).to.deep.equal([1])
    }
  })

  it('stops waiting when its signal aborts, and does not try again', async () => {
    const abort = new AbortController()
    const world = retrying([throttled(), throttled()], abort.signal)
    await world.clock.settle()
    abort.abort(new Error('enough'))
    await world.done
    expect(world.outcome()).to.have.property('message', 'enough')
    expect(world.attempts).to.deep.equal([1])
  })

  it('has more patience with a service that says to slow down, where the policy does', async () => {
    const virtual = new VirtualClock()
    const patient = { attempts: 2, attemptsIfThrottled: 5, backoff: { firstMs: 10, maxMs: 100 } }
    const callsUntilGivenUp = async (error: Error): Promise<number> => {
      let calls = 0
      const work = async (): Promise<never> => {
        calls += 1
        throw error
      }
      const outcome = retry(work, patient, { clock: virtual, random: seededRandom(1) }).catch(failure => failure)
      await virtual.advance(10_000)
      expect(await outcome).to.equal(error)
      return calls
    }
    expect(await callsUntilGivenUp(new ThrottledError('slow down'))).to.equal(5)
    expect(await callsUntilGivenUp(new ServiceError('other', 'no', { retryable: true }))).to.equal(2)
  })
})
