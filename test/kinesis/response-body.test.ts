import { EventEmitter } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { expect } from 'chai'
import { isBodyStream, receiveBody } from '../../src/kinesis/response-body.ts'
import { ServiceError } from '../../src/model/errors.ts'

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
      expect((await receiveBody(Readable.from(pieces), expectedBytes, NEVER)).equals(whole)).to.equal(true)
    })
  }

  it('takes a memory of its own, no larger than what was announced', async () => {
    const body = await receiveBody(Readable.from([Buffer.from('abc')]), 3, NEVER)
    expect(body.buffer.byteLength).to.equal(3)
  })

  it('keeps no more memory than is used, but for an eighth', async () => {
    const body = await receiveBody(Readable.from([Buffer.alloc(70_000), Buffer.alloc(10)]), Number.NaN, NEVER)
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
      const failure = await failureOf(receiveBody(endless, expectedBytes, NEVER))
      expect(failure).to.be.instanceOf(ServiceError).and.include({ kind: 'other', retryable: true })
      expect(endless.destroyed).to.equal(true)
      expect(sent).to.be.below(80 * 1_048_576)
    }
  })

  it('rejects if a piece cannot be taken', async () => {
    const stream = Object.assign(new EventEmitter(), { destroy: () => {} })
    const receiving = failureOf(receiveBody(stream, Number.NaN, NEVER))
    stream.emit('data', {
      get length() {
        throw new TypeError('odd')
      }
    })
    expect(await receiving).to.be.instanceOf(TypeError)
  })

  it('rejects with the error of the stream', async () => {
    const stream = new PassThrough()
    const receiving = failureOf(receiveBody(stream, 10, NEVER))
    const error = new Error('odd')
    stream.destroy(error)
    expect(await receiving).to.equal(error)
  })

  it('rejects as a broken connection does if the stream closes before its end', async () => {
    const stream = new PassThrough()
    const receiving = failureOf(receiveBody(stream, 10, NEVER))
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
      const receiving = failureOf(receiveBody(stream, 10, stop.signal))
      stop.abort(reason)
      expect(await receiving).to.equal(reason)
      expect(stream.destroyed).to.equal(true)
    }
  })
})

describe('isBodyStream', () => {
  it('tells streams of Node.js from anything else', () => {
    expect([new PassThrough(), new ReadableStream(), new Uint8Array(1), undefined].map(isBodyStream)).to.deep.equal([
      true,
      false,
      false,
      false
    ])
  })
})
