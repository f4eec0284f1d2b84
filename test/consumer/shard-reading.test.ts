import { expect } from 'chai'
import { type Reading, ShardReading } from '../../src/consumer/shard-reading.ts'
import { ServiceError, StalledError, ThrottledError } from '../../src/model/errors.ts'
import type { RetrievalListener, Retrieved, Retriever } from '../../src/retrieval/retriever.ts'
import { unlessAborted } from '../../src/runtime/abort.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { aLease, aPosition } from '../support/builders.ts'

const STALL_MS = 60_000
const RECORDS = { kind: 'records' } as unknown as Retrieved

/** A retriever whose answers are given by hand. */
class ManualRetriever implements Retriever {
  readonly listener: RetrievalListener
  readonly from: string
  isClosed = false
  continued = 0
  #waiting: ((answer: Promise<Retrieved>) => void) | undefined

  constructor(from: string, listener: RetrievalListener) {
    this.from = from
    this.listener = listener
  }

  next(signal: AbortSignal): Promise<Retrieved> {
    const answer = new Promise<Retrieved>(resolve => {
      this.#waiting = resolve
    })
    return unlessAborted(answer, signal)
  }

  answer(answer: Promise<Retrieved>): void {
    this.#waiting?.(answer)
  }

  continueAfterEnd(): void {
    this.continued += 1
  }

  close(): void {
    this.isClosed = true
  }
}

function aReading() {
  const clock = new VirtualClock()
  const opened: ManualRetriever[] = []
  const told: string[] = []
  const reading = new ShardReading({
    shardId: 'shard',
    openRetriever: ({ checkpoint }, listener) => {
      const retriever = new ManualRetriever(checkpoint.sequenceNumber, listener)
      opened.push(retriever)
      return retriever
    },
    lease: () => aLease(),
    stallMs: STALL_MS,
    calledSinceMs: () => undefined,
    isStoringLetters: () => false,
    clock,
    lag: { told: ms => told.push(`lag ${ms}`) },
    listener: {
      read: () => told.push('read'),
      failed: ({ during, retryInMs }) => told.push(`${during} again in ${retryInMs}`),
      modeChanged: ({ mode }) => told.push(mode),
      stalled: ({ waitingFor, action }) => told.push(`${waitingFor} ${action}`),
      progressed: () => told.push('progressed')
    }
  })
  /** Begins to read, from where position 5 is. */
  const next = (from = 5): (() => Reading | undefined) => {
    let outcome: Reading | undefined
    void reading.next(aPosition(from)).then(value => {
      outcome = value
    })
    return () => outcome
  }
  const retriever = (): ManualRetriever => opened.at(-1) ?? expect.fail('nothing was opened')
  return { clock, opened, told, reading, next, retriever }
}

describe('ShardReading', () => {
  it('opens once, from where it is told, and passes on what comes', async () => {
    const { clock, opened, next, retriever } = aReading()
    const first = next()
    retriever().answer(Promise.resolve(RECORDS))
    await clock.settle()
    expect(first()).to.equal(RECORDS)
    const second = next(9)
    retriever().answer(Promise.resolve({ kind: 'end' }))
    await clock.settle()
    expect(second()).to.deep.equal({ kind: 'end' })
    expect(opened.map(({ from }) => from)).to.deep.equal(['5'])
  })

  it('passes on what makes reading on pointless', async () => {
    const { clock, next, retriever } = aReading()
    const outcome = next()
    const error = new ServiceError('other', 'no such stream', { retryable: false })
    retriever().answer(Promise.reject(error))
    await clock.settle()
    expect(outcome()).to.deep.equal({ kind: 'failed', error })
  })

  it('tells what the retriever does', () => {
    const { told, next, retriever } = aReading()
    next()
    const { listener } = retriever()
    listener.onRead({ records: 1, bytes: 1, millisBehindLatest: 0 })
    listener.onRetry(new Error('x'), 250, 1)
    listener.onModeChange({ mode: 'polling' })
    expect(told).to.deep.equal(['lag 0', 'read', 'read again in 250', 'polling'])
  })

  it('begins anew where no answer comes, and gives up if that does not help', async () => {
    const { clock, opened, told, reading, next } = aReading()
    const first = next()
    await clock.advance(STALL_MS)
    reading.look()
    await clock.settle()
    expect(first()).to.deep.equal({ kind: 'restarted' })
    expect(opened[0]?.isClosed).to.equal(true)
    const second = next(7)
    expect(opened[1]?.from).to.equal('7')
    reading.look()
    await clock.advance(STALL_MS)
    reading.look()
    await clock.settle()
    expect(second()).to.have.property('error').that.is.instanceOf(StalledError)
    expect(told).to.deep.equal(['answer restart', 'answer release'])
    expect(opened[1]?.isClosed).to.equal(true)
  })

  it('takes every answer for one, and that too much was asked', async () => {
    const { clock, told, reading, next, retriever } = aReading()
    next()
    for (let i = 0; i < 4; i++) {
      await clock.advance(STALL_MS - 1)
      reading.look()
      if (i % 2 === 0) retriever().listener.onRead({ records: 0, bytes: 0, millisBehindLatest: 0 })
      else retriever().listener.onRetry(new ThrottledError('slow down'), 100, 1)
    }
    expect(told.filter(line => line.startsWith('answer'))).to.deep.equal([])
  })

  it('reads on where records came in the moment in which reading was to begin anew', async () => {
    const { clock, opened, told, reading, next, retriever } = aReading()
    next()
    retriever().answer(Promise.resolve(RECORDS))
    await clock.settle()
    const { next: wait } = retriever()
    retriever().next = async () => {
      await clock.sleep(STALL_MS)
      reading.look()
      return RECORDS
    }
    const late = next()
    await clock.advance(STALL_MS)
    expect(late()).to.equal(RECORDS)
    expect(told).to.deep.equal(['answer restart'])
    retriever().next = wait
    const following = next()
    await clock.settle()
    expect(following()).to.equal(undefined)
    retriever().answer(Promise.resolve(RECORDS))
    await clock.settle()
    expect(following()).to.equal(RECORDS)
    expect(opened).to.have.length(1)
  })

  it('waits for nothing once it is stopped, keeps what was read ahead, and reads again once it may', async () => {
    const { clock, opened, reading, next, retriever } = aReading()
    const first = next()
    await clock.settle()
    reading.stop()
    await clock.settle()
    expect(first()).to.deep.equal({ kind: 'stopped' })
    const second = next()
    await clock.settle()
    expect(second()).to.deep.equal({ kind: 'stopped' })
    expect(retriever().isClosed).to.equal(false)
    reading.renew()
    const third = next()
    await clock.settle()
    expect(third()).to.equal(undefined)
    expect(opened).to.have.length(1)
  })

  it('does not count the time for which it was stopped', async () => {
    const { clock, told, reading, next } = aReading()
    next()
    await clock.advance(30_000)
    reading.stop()
    await clock.advance(10 * STALL_MS)
    reading.renew()
    next()
    await clock.advance(STALL_MS - 1)
    reading.look()
    expect(told).to.deep.equal([])
    await clock.advance(1)
    reading.look()
    expect(told).to.deep.equal(['answer restart'])
  })

  it('passes on that the end was none, and closes what is open', () => {
    const { reading, next, retriever } = aReading()
    reading.continueAfterEnd()
    reading.close()
    next()
    reading.continueAfterEnd()
    reading.close()
    expect(retriever()).to.include({ continued: 1, isClosed: true })
  })
})
