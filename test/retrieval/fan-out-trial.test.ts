import { expect } from 'chai'
import { ServiceError } from '../../src/model/errors.ts'
import { FanOutTrial, release } from '../../src/retrieval/fan-out-trial.ts'
import type { ReadReport, RetrievalListener, Retrieved } from '../../src/retrieval/retriever.ts'
import { deferred } from '../../src/runtime/deferred.ts'
import { rejectionOf } from './fan-out-world.ts'

const broken = (): ServiceError => new ServiceError('other', 'The connection broke', { retryable: true })
const report = (records: number, millisBehindLatest = 0): ReadReport => ({
  records,
  bytes: records * 10,
  millisBehindLatest
})

function aTrial() {
  const coming = deferred()
  const reports: ReadReport[] = []
  const failures: number[] = []
  const world = { reports, failures, coming, released: 0, isClosed: false, retrieved: { kind: 'end' } as Retrieved }
  let told: Pick<RetrievalListener, 'onRead' | 'onRetry'> | undefined
  const trial = new FanOutTrial({
    open: listener => {
      told = listener
      return {
        next: () => coming.promise.then(() => world.retrieved),
        continueAfterEnd: () => {},
        close: () => {
          world.isClosed = true
        }
      }
    },
    signal: new AbortController().signal,
    listener: {
      onRead: each => reports.push(each),
      onRetry: (_error, _inMs, times) => failures.push(times)
    }
  })
  const listener = told as NonNullable<typeof told>
  return Object.assign(world, { trial, listener })
}

function recordsOf(world: { released: number }): Retrieved {
  return {
    kind: 'records',
    records: [],
    bytes: 0,
    millisBehindLatest: 0,
    takenApart: () => {},
    release: () => {
      world.released += 1
    }
  }
}

describe('FanOutTrial', () => {
  it('is proved by its first event, of which nobody is told', async () => {
    const { trial, listener, reports } = aTrial()
    listener.onRead(report(0))
    await trial.proof
    expect(reports).to.deep.equal([])
  })

  it('has failed with what makes fan-out impossible, or where it finds no shard', async () => {
    const failing = aTrial()
    failing.coming.reject(broken())
    expect(await rejectionOf(failing.trial.proof)).to.have.property('message', 'The connection broke')
    const ending = aTrial()
    ending.coming.resolve()
    expect(await rejectionOf(ending.trial.proof)).to.have.property('kind', 'not-found')
  })

  it('tells what it has read once it takes over, but for what others have told of', () => {
    const { trial, listener, reports } = aTrial()
    for (const records of [3, 0, 4]) listener.onRead(report(records, 70 - records))
    trial.takeOver({ records: 5, bytes: 50 })
    expect(reports).to.deep.equal([report(2, 66)])
    listener.onRead(report(1, 5))
    expect(reports.slice(1)).to.deep.equal([report(1, 5)])
  })

  it('leaves out what others have told of that is still to come', () => {
    const { trial, listener, reports } = aTrial()
    listener.onRead(report(1))
    trial.takeOver({ records: 4, bytes: 40 })
    for (const records of [0, 2, 3, 1]) listener.onRead(report(records))
    expect(reports.map(({ records, bytes }) => [records, bytes])).to.deep.equal([
      [0, 0],
      [0, 0],
      [0, 0],
      [2, 20],
      [1, 10]
    ])
  })

  it('tells of failures once it works: before that, they are what it is tried for', () => {
    const { listener, failures } = aTrial()
    listener.onRetry(broken(), 100, 1)
    listener.onRead(report(0))
    listener.onRetry(broken(), 100, 2)
    expect(failures).to.deep.equal([2])
  })

  it('lets go of what it has brought when it is closed, even if that comes later', async () => {
    const world = aTrial()
    world.retrieved = recordsOf(world)
    world.trial.close()
    expect(world.isClosed).to.equal(true)
    world.coming.resolve()
    await world.trial.first
    expect(world.released).to.equal(1)
  })
})

describe('release', () => {
  it('lets go of records, and of nothing else', async () => {
    const world = { released: 0 }
    const asked = [recordsOf(world), { kind: 'end' } as const].map(each => Promise.resolve(each))
    for (const each of [...asked, undefined, Promise.reject(broken())]) release(each)
    await Promise.all(asked)
    expect(world.released).to.equal(1)
  })
})
