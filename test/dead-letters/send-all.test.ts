import { expect } from 'chai'
import { type Refused, sendAll, storeAll } from '../../src/dead-letters/send-all.ts'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { impatient, rejection } from './letters.ts'

interface Entry {
  readonly bytes: number
  readonly id: number
}

const ENTRIES = [1, 2, 3, 4, 5].map(id => ({ id, bytes: 1 }))
const throttled = new ThrottledError('slow down')
const refused = new ServiceError('invalid-argument', 'not this one', { retryable: false })

function sending(send: (batch: readonly Entry[]) => Refused<Entry>[]) {
  const ports = impatient()
  const batches: number[][] = []
  return {
    ...{ ...ports, batches, limits: { maxCount: 2, maxBytes: 100 }, signal: new AbortController().signal },
    send: async (batch: readonly Entry[]) => {
      batches.push(batch.map(({ id }) => id))
      return send(batch)
    }
  }
}

describe('sendAll', () => {
  it('sends everything in batches', async () => {
    const all = sending(() => [])
    expect(await sendAll(ENTRIES, all)).to.deep.equal([])
    expect(all.batches).to.deep.equal([[1, 2], [3, 4], [5]])
    expect(all.delays).to.deep.equal([])
  })

  it('sends only those again that were refused', async () => {
    let first = true
    const some = sending(batch => {
      const odd = first
        ? batch.filter(({ id }) => id === 2 || id === 5).map(entry => ({ entry, error: throttled }))
        : []
      if (batch.some(({ id }) => id === 5)) first = false
      return odd
    })
    expect(await sendAll(ENTRIES, some)).to.deep.equal([])
    expect(some.batches).to.deep.equal([[1, 2], [3, 4], [5], [2, 5]])
    expect(some.delays).to.have.length(1)
  })

  it('makes no more calls in a round once one has failed as a whole', async () => {
    let calls = 0
    const failing = sending(() => {
      calls += 1
      if (calls === 2) throw throttled
      return []
    })
    expect(await sendAll(ENTRIES, failing)).to.deep.equal([])
    expect(failing.batches).to.deep.equal([[1, 2], [3, 4], [3, 4], [5]])
  })

  it('gives up what does not pass at once, and the rest after five rounds in which nothing got through', async () => {
    const none = sending(batch => batch.map(entry => ({ entry, error: entry.id === 1 ? refused : throttled })))
    const left = await sendAll(ENTRIES.slice(0, 2), none)
    expect(left).to.deep.equal([
      { entry: ENTRIES[0], error: refused },
      { entry: ENTRIES[1], error: throttled }
    ])
    expect(none.batches).to.deep.equal([[1, 2], [2], [2], [2], [2]])
    expect(none.delays.every((ms, n) => n === 0 || ms > (none.delays[n - 1] ?? 0))).to.equal(true)
  })

  it('goes on as long as something gets through', async () => {
    const slow = sending(batch => batch.slice(1).map(entry => ({ entry, error: throttled })))
    const many = Array.from({ length: 40 }, (_, id) => ({ id, bytes: 1 }))
    expect(await sendAll(many, { ...slow, limits: { maxCount: 40, maxBytes: 100 } })).to.deep.equal([])
    expect(slow.batches).to.have.length(40)
  })

  it('rejects with the reason of the signal', async () => {
    const controller = new AbortController()
    const reason = new Error('lease lost')
    const all = sending(batch => {
      controller.abort(reason)
      return batch.map(entry => ({ entry, error: throttled }))
    })
    expect(await rejection(sendAll(ENTRIES, { ...all, signal: controller.signal }))).to.equal(reason)
    expect(all.batches).to.have.length(1)
  })
})

describe('storeAll', () => {
  it('rejects with what is left: the one error, or how many', async () => {
    const one = sending(batch => batch.filter(({ id }) => id === 3).map(entry => ({ entry, error: refused })))
    expect(await rejection(storeAll(ENTRIES, one))).to.equal(refused)
    const two = sending(batch => batch.filter(({ id }) => id % 2 === 0).map(entry => ({ entry, error: refused })))
    const error = (await rejection(storeAll(ENTRIES, two))) as ServiceError
    expect(error.message).to.equal('2 of 5 letters were not stored, the first because: not this one')
    expect(error.retryable).to.equal(false)
  })
})
