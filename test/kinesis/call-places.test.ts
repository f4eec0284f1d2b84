import { expect } from 'chai'
import { CallPlaces } from '../../src/kinesis/call-places.ts'

const NEVER = new AbortController().signal

/** Calls that go on until they are told to end. */
function calls(places: CallPlaces) {
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const call = (name: string, signal = NEVER): Promise<string> =>
    places.run(() => {
      begun.push(name)
      return new Promise(resolve => ends.set(name, () => resolve(name)))
    }, signal)
  return { begun, call, end: (name: string) => ends.get(name)?.() }
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

describe('CallPlaces', () => {
  it('lets in as many as there are places, and the others in their order as those end', async () => {
    const { begun, call, end } = calls(new CallPlaces(2))
    const all = ['a', 'b', 'c', 'd'].map(name => call(name))
    await turn()
    expect(begun.join('')).to.equal('ab')
    end('b')
    await turn()
    expect(begun.join('')).to.equal('abc')
    for (const name of ['a', 'c']) end(name)
    await turn()
    end('d')
    expect(await Promise.all(all)).to.deep.equal(['a', 'b', 'c', 'd'])
  })

  it('begins what waits as soon as there are more places, and breaks nothing off when there are fewer', async () => {
    const places = new CallPlaces(1)
    const { begun, call, end } = calls(places)
    for (const name of ['a', 'b', 'c', 'd']) void call(name)
    places.resize(3)
    await turn()
    expect(begun.join('')).to.equal('abc')
    places.resize(1)
    for (const name of ['a', 'b']) end(name)
    await turn()
    expect(begun.join('')).to.equal('abc')
    end('c')
    await turn()
    expect(begun.join('')).to.equal('abcd')
  })

  it('lets go of a call that waits when its signal aborts', async () => {
    const places = new CallPlaces(1)
    const { begun, call, end } = calls(places)
    void call('a')
    const stop = new AbortController()
    const waiting = call('b', stop.signal).catch((error: unknown) => error)
    const next = call('c')
    const reason = new Error('enough')
    stop.abort(reason)
    expect(await waiting).to.equal(reason)
    expect(await call('d', stop.signal).catch((error: unknown) => error)).to.equal(reason)
    end('a')
    await turn()
    end('c')
    expect(await next).to.equal('c')
    expect(begun.join('')).to.equal('ac')
  })

  it('has a place again after a call that failed', async () => {
    const places = new CallPlaces(1)
    const failure = await places.run(() => Promise.reject(new Error('odd')), NEVER).catch((error: unknown) => error)
    expect(failure).to.have.property('message', 'odd')
    expect(await places.run(async () => 'fine', NEVER)).to.equal('fine')
  })
})
