import { EventEmitter } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { expect } from 'chai'
import { BodyMemory } from '../../src/kinesis/body-memory.ts'
import { ReceiveTurns } from '../../src/kinesis/receive-turns.ts'
import { isBodyStream, receiveBody } from '../../src/kinesis/response-body.ts'
import { ServiceError } from '../../src/model/errors.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { countedDeadline } from './counted-deadline.ts'

const NEVER = new AbortController().signal

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => expect.fail('did not fail'),
    (error: unknown) => error
  )
}

describe('receiveBody', () => {
  const pieces = Array.from({ length: 100 }, (_, index) => Buffer.alloc(1_000 + index, index))
  const whole = Buffer.concat(pieces)

  for (const [title, expectedBytes] of [
    ['that says how long it is', whole.length],
    ['that does not', Number.NaN],
    ['that says less', 10],
    ['that says more', whole.length * 2]
  ] as const) {
    it(`receives a body ${title}`, async () => {
      expect((await receiveBody(Readable.from(pieces), { expectedBytes, signal: NEVER })).equals(whole)).to.equal(true)
    })
  }

  it('takes a memory of its own, no larger than what was announced', async () => {
    const body = await receiveBody(Readable.from([Buffer.from('abc')]), { expectedBytes: 3, signal: NEVER })
    expect(body.buffer.byteLength).to.equal(3)
  })

  it('keeps no more memory than is used, but for an eighth', async () => {
    const body = await receiveBody(Readable.from([Buffer.alloc(70_000), Buffer.alloc(10)]), {
      expectedBytes: Number.NaN,
      signal: NEVER
    })
    expect(body.length).to.equal(70_010)
    expect(body.buffer.byteLength).to.be.below((70_010 * 8) / 7)
  })

  it('refuses what is longer than any answer, whether it says so or not, and destroys the stream', async () => {
    const piece = Buffer.alloc(1_048_576)
    for (const expectedBytes of [Number.NaN, 10, 2 ** 27, 2 ** 50]) {
      let sent = 0
      const endless = new Readable({
        read() {
          sent += piece.length
          this.push(piece)
        }
      })
      const failure = await failureOf(receiveBody(endless, { expectedBytes, signal: NEVER }))
      expect(failure).to.be.instanceOf(ServiceError).and.include({ kind: 'other', retryable: true })
      expect(endless.destroyed).to.equal(true)
      expect(sent).to.be.below(80 * 1_048_576)
    }
  })

  it('rejects if a piece cannot be taken', async () => {
    const stream = Object.assign(new EventEmitter(), { destroy: () => {}, pause: () => {}, resume: () => {} })
    const receiving = failureOf(receiveBody(stream, { expectedBytes: Number.NaN, signal: NEVER }))
    stream.emit('data', {
      get length() {
        throw new TypeError('odd')
      }
    })
    expect(await receiving).to.be.instanceOf(TypeError)
  })

  it('rejects with the error of the stream', async () => {
    const stream = new PassThrough()
    const receiving = failureOf(receiveBody(stream, { expectedBytes: 10, signal: NEVER }))
    const error = new Error('odd')
    stream.destroy(error)
    expect(await receiving).to.equal(error)
  })

  it('rejects as a broken connection does if the stream closes before its end', async () => {
    const stream = new PassThrough()
    const receiving = failureOf(receiveBody(stream, { expectedBytes: 10, signal: NEVER }))
    stream.write('abc')
    stream.destroy()
    expect(await receiving).to.have.property('code', 'ECONNRESET')
  })

  it('destroys the stream when the signal aborts, and rejects with its reason', async () => {
    for (const isEarly of [true, false]) {
      const stream = new PassThrough()
      const stop = new AbortController()
      const reason = new Error('enough')
      if (isEarly) stop.abort(reason)
      const receiving = failureOf(receiveBody(stream, { expectedBytes: 10, signal: stop.signal }))
      stop.abort(reason)
      expect(await receiving).to.equal(reason)
      expect(stream.destroyed).to.equal(true)
    }
  })
})

describe('receiveBody, when it is its turn', () => {
  const LONG = 70_000
  const turn = () => new Promise(resolve => setImmediate(resolve))

  /** Turns in which a body has to wait until it is let in. */
  function busyTurns(): { readonly turns: ReceiveTurns; letIn(): void } {
    let backlogBytes = 2 ** 30
    return { turns: new ReceiveTurns(systemClock, () => backlogBytes), letIn: () => (backlogBytes = 0) }
  }

  it('takes neither memory nor pieces before, and no time counts until then', async () => {
    const { turns, letIn } = busyTurns()
    const [memory, deadline] = [new BodyMemory(), countedDeadline()]
    let taken = 0
    const take = memory.take.bind(memory)
    memory.take = bytes => {
      taken += 1
      return take(bytes)
    }
    const whole = Buffer.alloc(LONG, 7)
    const stream = Readable.from([whole])
    const receiving = receiveBody(stream, { expectedBytes: LONG, signal: NEVER, memory, turns, deadline })
    for (let i = 0; i < 5; i++) await turn()
    expect(stream.readableFlowing).to.equal(null)
    expect(taken).to.equal(0)
    expect(deadline.open).to.equal(1)
    letIn()
    expect((await receiving).equals(whole)).to.equal(true)
    expect(deadline.open).to.equal(0)
    expect(taken).to.equal(1)
  })

  it('does not have a short one wait', async () => {
    const { turns } = busyTurns()
    const stream = Readable.from([Buffer.alloc(100)])
    expect(await receiveBody(stream, { expectedBytes: 100, signal: NEVER, turns })).to.have.length(100)
  })

  it('pauses what comes too fast, with no time that counts, and receives all of it', async () => {
    const deadline = countedDeadline()
    const turns = new ReceiveTurns(systemClock, () => 0)
    const pieces = Array.from({ length: 200 }, (_, index) => Buffer.alloc(65_536, index))
    const stream = Readable.from(pieces, { objectMode: false, highWaterMark: 65_536 })
    let pauses = 0
    stream.on('pause', () => {
      pauses += 1
      expect(deadline.open).to.equal(1)
    })
    const options = { expectedBytes: 200 * 65_536, signal: NEVER, turns, deadline }
    expect((await receiveBody(stream, options)).equals(Buffer.concat(pieces))).to.equal(true)
    expect(pauses).to.be.within(1, 4)
    expect(deadline.open).to.equal(0)
  })

  it('rejects if there is no memory for it, and the next one is received', async () => {
    const { turns, letIn } = busyTurns()
    const lack = new RangeError('Array buffer allocation failed')
    const memory = Object.assign(new BodyMemory(), {
      take: () => {
        throw lack
      }
    })
    const whole = Buffer.alloc(LONG, 7)
    const stream = Readable.from([whole])
    const failing = failureOf(receiveBody(stream, { expectedBytes: LONG, signal: NEVER, memory, turns }))
    const next = receiveBody(Readable.from([whole]), { expectedBytes: LONG, signal: NEVER, turns })
    letIn()
    expect(await failing).to.equal(lack)
    expect(stream.destroyed).to.equal(true)
    expect((await next).equals(whole)).to.equal(true)
  })

  it('fails while it waits, and has nobody wait for it', async () => {
    const { turns, letIn } = busyTurns()
    const stop = new AbortController()
    const reason = new Error('enough')
    for (const [title, end] of [
      ['aborted', () => stop.abort(reason)],
      ['destroyed', (stream: Readable) => stream.destroy(reason)],
      ['closed', (stream: Readable) => stream.destroy()]
    ] as const) {
      const deadline = countedDeadline()
      const stream = new PassThrough()
      const { signal } = title === 'aborted' ? stop : new AbortController()
      const receiving = failureOf(receiveBody(stream, { expectedBytes: LONG, signal, turns, deadline }))
      end(stream)
      const failure = await receiving
      if (title === 'closed') expect(failure).to.have.property('code', 'ECONNRESET')
      else expect(failure).to.equal(reason)
      expect(deadline.open).to.equal(0)
    }
    letIn()
    const whole = Buffer.alloc(LONG)
    const next = receiveBody(Readable.from([whole]), { expectedBytes: LONG, signal: NEVER, turns })
    expect((await next).equals(whole)).to.equal(true)
  })
})

describe('isBodyStream', () => {
  it('tells streams of Node.js from anything else', () => {
    const cannotPause = new EventEmitter()
    const bodies = [new PassThrough(), new ReadableStream(), cannotPause, new Uint8Array(1), undefined]
    expect(bodies.map(isBodyStream)).to.deep.equal([true, false, false, false, false])
  })
})
