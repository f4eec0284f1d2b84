import { PassThrough } from 'node:stream'
import { expect } from 'chai'
import { broken, PulledBody, type PulledBodyOptions } from '../../src/kinesis/fan-out-body.ts'
import { FanOutWatchdog } from '../../src/kinesis/fan-out-watchdog.ts'
import { ServiceError } from '../../src/model/errors.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const IDLE_MS = 20_000

function aBody(options: Partial<PulledBodyOptions> = {}) {
  const clock = new VirtualClock()
  const stream = new PassThrough()
  const told: string[] = []
  const body = new PulledBody({
    stream,
    breakOff: () => told.push('broken off'),
    isWhole: () => true,
    onSilence: () => told.push('silence'),
    watchdog: new FanOutWatchdog(clock, IDLE_MS),
    idleMs: IDLE_MS,
    signal: new AbortController().signal,
    ...options
  })
  return { clock, stream, body, told }
}

async function textOf(reading: Promise<Uint8Array | undefined>): Promise<string | undefined> {
  const bytes = await reading
  return bytes && Buffer.from(bytes).toString()
}

async function failureOf(reading: Promise<unknown>): Promise<unknown> {
  return reading.then(
    () => expect.fail('did not fail'),
    (error: unknown) => error
  )
}

describe('PulledBody', () => {
  it('gives what there is, what comes, and then the end', async () => {
    const { stream, body } = aBody()
    stream.write('a')
    expect(await textOf(body.read())).to.equal('a')
    const waiting = textOf(body.read())
    stream.write('b')
    expect(await waiting).to.equal('b')
    stream.end('c')
    expect([await textOf(body.read()), await textOf(body.read()), await textOf(body.read())]).to.deep.equal([
      ...['c', undefined, undefined]
    ])
  })

  it('fails where the end is not as it should be, or the stream breaks', async () => {
    const cut = aBody({ isWhole: () => false })
    cut.stream.end()
    expect(await failureOf(cut.body.read())).to.include({ kind: 'other', retryable: true })
    const failed = aBody()
    const cause = new Error('ECONNRESET')
    failed.stream.destroy(cause)
    const failure = await failureOf(failed.body.read())
    expect(failure).to.be.instanceOf(ServiceError)
    expect((failure as ServiceError).cause).to.equal(cause)
    const closed = aBody()
    closed.stream.destroy()
    expect(await failureOf(closed.body.read())).to.include({ kind: 'other', retryable: true })
  })

  it('gives up when nothing comes for too long to who waits', async () => {
    const { clock, body, told } = aBody()
    const failing = failureOf(body.read())
    await clock.advance(IDLE_MS - 1_000)
    expect(told).to.deep.equal([])
    await clock.advance(2_000)
    expect(await failing).to.include({ kind: 'timeout', retryable: true })
    expect(told).to.deep.equal(['broken off', 'silence'])
  })

  it('does not give up while nobody waits', async () => {
    const { clock, stream, body, told } = aBody()
    for (const text of ['a', 'b', 'c']) {
      await clock.advance(IDLE_MS * 3)
      stream.write(text)
      expect(await textOf(body.read())).to.equal(text)
      const waiting = textOf(body.read())
      await clock.advance(IDLE_MS - 1_000)
      stream.write(text)
      expect(await waiting).to.equal(text)
    }
    expect(told).to.deep.equal([])
  })

  it('ends for who waits when it is cancelled', async () => {
    const { body, told } = aBody()
    const waiting = body.read()
    body.cancel()
    body.cancel()
    expect(await waiting).to.equal(undefined)
    expect(body.isCancelled).to.equal(true)
    expect(told).to.deep.equal(['broken off'])
  })

  it('rejects with the reason of a signal, whether it is its first one or another', async () => {
    const [first, second] = [new AbortController(), new AbortController()]
    for (const stop of [first, second]) {
      const { body, told } = aBody({ signal: stop === first ? stop.signal : new AbortController().signal })
      body.follow(second.signal)
      const failing = failureOf(body.read())
      stop.abort('enough')
      expect(await failing).to.equal('enough')
      expect(told).to.deep.equal(['broken off'])
    }
    const { body } = aBody({ signal: AbortSignal.abort('before') })
    expect(await failureOf(body.read())).to.equal('before')
  })
})

describe('broken', () => {
  it('says what is known of why', () => {
    expect(String(broken())).to.include('could not be reached, or the connection broke')
    expect(String(broken(new Error('ECONNRESET')))).to.include('(ECONNRESET)')
    const known = new ServiceError('timeout', 'it is dead', { retryable: true })
    expect(broken(known)).to.equal(known)
  })
})
