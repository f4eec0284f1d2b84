import { expect } from 'chai'
import { EventStreamFrames } from '../../src/kinesis/event-stream-frames.ts'
import { ServiceError } from '../../src/model/errors.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { errorFrame, exceptionFrame, frame, initialResponse } from '../support/fan-out-server-frames.ts'
import { seeds } from '../support/seeds.ts'

/** What comes of bytes that are fed in these pieces: the type of each message, and its payload as text. */
function read(pieces: readonly Uint8Array[]): string[] {
  const frames = new EventStreamFrames()
  const messages: string[] = []
  for (const piece of pieces) {
    frames.feed(piece)
    for (let message = frames.next(); message !== undefined; message = frames.next()) {
      messages.push(`${message.header(':message-type')} ${new TextDecoder().decode(message.payload)}`)
    }
  }
  return frames.isMidway ? [...messages, 'midway'] : messages
}

function joined(...frames: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(frames))
}

function failureOf(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return expect.fail('did not fail')
}

describe('EventStreamFrames', () => {
  const all = joined(initialResponse(), exceptionFrame('A', 'x'), frame({ ':message-type': 'event' }), errorFrame('B'))
  const expected = ['event {}', 'exception {"message":"x"}', 'event ', 'error ']

  it('gives the messages in what it is fed', () => {
    expect(read([all])).to.deep.equal(expected)
  })

  it('gives the same messages however the bytes are cut', () => {
    expect(read([...all].map(byte => Uint8Array.of(byte)))).to.deep.equal(expected)
    for (const seed of seeds(50)) {
      const random = seededRandom(seed)
      const pieces: Uint8Array[] = []
      for (let at = 0; at < all.length; ) {
        const end = at + Math.floor(random.next() * 60)
        pieces.push(all.subarray(at, end))
        at = end
      }
      expect(read(pieces), `SEED=${seed}`).to.deep.equal(expected)
    }
  })

  it('takes more bytes before the others were read', () => {
    const frames = new EventStreamFrames()
    for (const byte of all) frames.feed(Uint8Array.of(byte))
    expect(frames.next()?.header(':event-type')).to.equal('initial-response')
    expect(frames.next()?.header(':exception-type')).to.equal('A')
  })

  it('says whether a message has begun', () => {
    expect(read([all.subarray(0, -1)])).to.deep.equal([...expected.slice(0, -1), 'midway'])
    expect(read([all.subarray(0, 5)])).to.deep.equal(['midway'])
    expect(new EventStreamFrames().isMidway).to.equal(false)
  })

  it('keeps nothing of the bytes that it was fed', () => {
    const bytes = initialResponse()
    const frames = new EventStreamFrames()
    frames.feed(bytes)
    expect(frames.next()?.payload.buffer).not.to.equal(bytes.buffer)
  })

  it('has no header where there is none, whatever objects inherit', () => {
    const frames = new EventStreamFrames()
    frames.feed(initialResponse())
    const message = frames.next()
    expect(['toString', '__proto__', ':error-code'].map(name => message?.header(name))).to.deep.equal([
      ...[undefined, undefined, undefined]
    ])
  })

  it('refuses bytes that were damaged, wherever it was', () => {
    const whole = exceptionFrame('A', 'some words')
    for (let at = 0; at < whole.length; at++) {
      const bytes = Uint8Array.from(whole)
      bytes[at] = (bytes[at] ?? 0) ^ 4
      const failure = failureOf(() => read([bytes]))
      expect(failure, `byte ${at}`).to.be.instanceOf(ServiceError)
      expect(failure).to.include({ kind: 'other', retryable: true })
      expect(String(failure)).not.to.include('some words')
    }
  })

  it('does not wait for the gigabytes that a damaged length announces', () => {
    const bytes = Uint8Array.from(initialResponse().subarray(0, 12))
    bytes[0] = 0x7f
    expect(failureOf(() => read([bytes]))).to.be.instanceOf(ServiceError)
  })
})
