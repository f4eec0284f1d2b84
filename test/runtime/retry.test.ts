import { expect } from 'chai'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { retry } from '../../src/runtime/retry.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const policy = { attempts: 4, backoff: { firstMs: 100, maxMs: 1_000 } }

function failing(times: number, error: () => Error): { work: (attempt: number) => Promise<string>; calls: number[] } {
  const calls: number[] = []
  const work = async (attempt: number): Promise<string> => {
    calls.push(attempt)
    if (calls.length <= times) throw error()
    return 'done'
  }
  return { work, calls }
}

describe('retry', () => {
  const clock = new VirtualClock()
  const context = { clock, random: seededRandom(1) }

  it('tries again while the failure is of the kind that passes', async () => {
    const { work, calls } = failing(3, () => new ThrottledError('slow down'))
    const result = retry(work, policy, context)
    await clock.advance(5_000)
    expect(await result).to.equal('done')
    expect(calls).to.deep.equal([1, 2, 3, 4])
  })

  it('gives up after its attempts, with the last error', async () => {
    const { work, calls } = failing(9, () => new ThrottledError('slow down'))
    const result = retry(work, policy, context).catch(error => error)
    await clock.advance(5_000)
    expect(await result).to.be.instanceOf(ThrottledError)
    expect(calls).to.have.length(4)
  })

  it('does not try again what will not pass', async () => {
    const { work, calls } = failing(9, () => new ServiceError('access-denied', 'no', { retryable: false }))
    expect(await retry(work, policy, context).catch(error => error)).to.be.instanceOf(ServiceError)
    expect(calls).to.have.length(1)
  })

  it('stops waiting, and trying, when its signal aborts', async () => {
    const stop = new AbortController()
    const { work, calls } = failing(9, () => new ThrottledError('slow down'))
    const result = retry(work, policy, { ...context, signal: stop.signal }).catch(error => error)
    await clock.advance(1)
    stop.abort('enough')
    expect(await result).to.equal('enough')
    expect(calls).to.have.length(1)
    expect(clock.sleeping).to.equal(0)
  })
})
