// Threads that are ended, or end, in the call of one of several shards: whose doing that was, and what each of them is told.
import { expect } from 'chai'
import { HandlerTimeoutError, ProcessorGoneError } from '../../src/model/errors.ts'
import type { ThreadProcessor } from '../../src/processor/thread-processor.ts'
import { NAMES } from '../support/builders.ts'
import { pollUntil } from '../support/poll.ts'
import { aBatch, aCall, failureOf, ThreadWorld } from './thread-world.ts'

describe('ThreadPool, in search of whose call has ended a thread', function () {
  this.timeout(60_000)
  const late = new HandlerTimeoutError(1_000, true)
  let world: ThreadWorld
  let first: ThreadProcessor
  let second: ThreadProcessor

  beforeEach(async () => {
    world = new ThreadWorld()
    first = await world.begun('first')
    second = await world.begun('second')
  })
  afterEach(() => world.close())

  /** Has a batch processed: what that fails with, and what it has settled. */
  function call(processor: ThreadProcessor, ...texts: string[]) {
    const made = aCall(aBatch(...texts).records, { shardId: processor === first ? 'first' : 'second' })
    const { settled, checkpoints } = made.checkpointer
    return { failure: failureOf(processor.processRecords(made)), settled, checkpoints }
  }

  /** Resolves once the thread has come to the call. */
  const begun = (processor: ThreadProcessor): Promise<unknown> => Promise.resolve(processor.begun)

  it('ends a thread that computes for ever in a call, and keeps what that has settled', async () => {
    const computing = call(first, 'settle the second, then compute for ever', 'b')
    const waiting = call(second, 'report')
    // The last that it says. The second counts as held up before that: the first has been sent.
    await pollUntil('the thread to compute', () => computing.checkpoints.length > 0)
    await pollUntil('the second to be held up', () => second.isHeldUp())
    expect(first.isHeldUp()).to.equal(false)
    expect(first.endPlace(late)).to.equal(late)
    expect(computing.settled).to.deep.equal(['2'])
    expect(await computing.failure).to.be.instanceOf(ProcessorGoneError)
    expect(await waiting.failure).to.be.instanceOf(ProcessorGoneError)
    expect([first.gone?.blame, second.gone?.blame]).to.deep.equal(['own', 'another'])
    expect(world.deaths).to.have.length(1)
    expect(world.deaths[0]).to.deep.include({ shardIds: ['first', 'second'], retryInMs: 0, error: late })
    expect(world.deaths[0]?.because).to.equal('a call for first took longer than 1000 ms and did not return')
  })

  it('says that a call has not begun while another one has the thread', async () => {
    const computing = call(first, 'compute for ever')
    const waiting = call(second, 'report')
    let hasBegun = false
    void begun(second).then(() => {
      hasBegun = true
    })
    await begun(first)
    await pollUntil('the second to be held up', () => second.isHeldUp())
    expect(hasBegun).to.equal(false)
    first.endPlace(late)
    await Promise.all([computing.failure, waiting.failure])
  })

  it('blames a call that waits for ever, where the thread still hears', async () => {
    const never = call(first, 'never return')
    const also = call(second, 'never return')
    // Answered only when the thread has come to everything before.
    const whenHeard = (): Promise<unknown> => second.leaseLost({ shardId: 'second', ...NAMES }).catch(() => {})
    // The thread answers a moment before it has done with the call that it answers.
    await whenHeard()
    await pollUntil('neither to be held up', () => !first.isHeldUp() && !second.isHeldUp())
    await whenHeard()
    await pollUntil('the first not to be held up', () => !first.isHeldUp())
    expect(first.endPlace(late)).to.equal(late)
    expect([first.gone?.blame, second.gone?.blame]).to.deep.equal(['own', 'another'])
    await Promise.all([never.failure, also.failure])
  })

  it('blames nobody where the thread is held up in what followed the first await of one of several calls', async () => {
    const never = call(first, 'never return')
    const computing = call(second, 'compute for ever, a little later')
    // The last that it says.
    await pollUntil('it to go on after its await', () => computing.checkpoints.length > 0)
    expect([first.isHeldUp(), first.isHeldUp()]).to.deep.equal([false, false])
    expect(first.endPlace(late)).to.be.instanceOf(ProcessorGoneError)
    expect([first.gone?.blame, second.gone?.blame]).to.deep.equal(['nobody', 'nobody'])
    await Promise.all([never.failure, computing.failure])
  })

  it('blames a call that waits for ever alone, and ends nothing where none is under way', async () => {
    expect(first.endPlace(late)).to.equal(late)
    expect(world.deaths).to.deep.equal([])
    const never = call(first, 'never return')
    await begun(first)
    expect(first.endPlace(late)).to.equal(late)
    expect(await never.failure).to.have.property('cause', late)
    expect(second.gone).to.have.property('blame', 'another')
  })

  it('blames the call in which a thread exits, and keeps what that has settled', async () => {
    const waiting = call(first, 'never return')
    await begun(first)
    const ending = call(second, 'settle the second, then exit', 'b')
    await Promise.all([waiting.failure, ending.failure])
    expect(ending.settled).to.deep.equal(['2'])
    expect([first.gone?.blame, second.gone?.blame]).to.deep.equal(['another', 'own'])
  })

  it('blames nobody for an error that nobody catches while several calls are under way', async () => {
    const waiting = call(first, 'never return')
    await begun(first)
    const throwing = call(second, 'throw where nobody catches')
    await Promise.all([waiting.failure, throwing.failure])
    expect([first.gone?.blame, second.gone?.blame]).to.deep.equal(['nobody', 'nobody'])
  })
})
