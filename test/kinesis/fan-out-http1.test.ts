import { expect } from 'chai'
import { Http1Wire } from '../../src/kinesis/fan-out-http1.ts'
import { FanOutWatchdog } from '../../src/kinesis/fan-out-watchdog.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import * as faults from '../support/fan-out-server-faults.ts'
import { pollUntil } from '../support/poll.ts'
import { type FanOutWorld, FIRST, failureOf, fanOutWorld, STREAM, take } from './fan-out-world.ts'
import { ScriptedServer } from './scripted-server.ts'

describe('Http1Wire', () => {
  let world: FanOutWorld
  afterEach(() => world.close())
  const make = async (...[options = {}, server]: Parameters<typeof fanOutWorld>): Promise<void> => {
    world = await fanOutWorld({ http2: undefined, ...options }, server)
  }
  const untilFree = (): Promise<unknown> =>
    pollUntil('the connection to close', () => world.server.subscriptions.size === 0)

  it('carries subscriptions to an endpoint without TLS', async () => {
    await make()
    for (const letter of ['a', 'b', 'c']) world.server.put(STREAM, FIRST, letter)
    expect(await take(await world.subscribe(), 3)).to.deep.equal(['a', 'b', 'c'])
    expect(world.server.sessionsEver).to.equal(0)
  })

  it('closes the connection when the loop is left, and when the signal aborts', async () => {
    await make({}, { times: 5_000 })
    world.server.put(STREAM, FIRST, 'a')
    await take(await world.subscribe(), 1)
    await untilFree()
    const stop = new AbortController()
    const events = await world.subscribe({ type: 'LATEST' }, stop.signal)
    stop.abort('enough')
    await untilFree()
    expect(await failureOf(events)).to.equal('enough')
  })

  it('closes every connection when the port is closed', async () => {
    await make()
    const events = await world.subscribe({ type: 'LATEST' })
    world.port.close()
    expect(await failureOf(events)).to.include({ kind: 'other', retryable: true })
    await untilFree()
  })

  it('opens no connection for a signal that has aborted, or once it is closed', async () => {
    const server = new ScriptedServer()
    await server.listen()
    await make()
    const wire = new Http1Wire({ watchdog: new FanOutWatchdog(systemClock, 5_000), idleMs: 20_000 })
    const request = { origin: server.endpoint, path: '/', headers: {}, body: '{}' }
    const reason = new Error('enough')
    expect(await failureOf(wire.send(request, AbortSignal.abort(reason)))).to.equal(reason)
    const never = new AbortController().signal
    const early = failureOf(wire.send(request, never))
    wire.close()
    for (const failing of [early, failureOf(wire.send(request, never))]) {
      expect(await failing).to.include({ kind: 'other', retryable: false })
    }
    expect(server.connections).to.equal(0)
    await server.close()
  })

  it('ends without an error when the server ends it, and with one when the connection breaks', async () => {
    await make()
    world.server.faults.push(faults.endedEarly(1), faults.reset(1), faults.truncated(1))
    expect(await take(await world.subscribe(), 1)).to.deep.equal([])
    for (const _ of ['reset', 'truncated']) {
      await pollUntil('the five seconds', () => world.subscribe().then(failureOf)).then(failure =>
        expect(failure).to.include({ kind: 'other', retryable: true })
      )
    }
  })

  it('gives up a subscription that is silent', async () => {
    await make({ idleTimeoutMs: 60 })
    world.server.faults.push(faults.silence(1))
    expect(await failureOf(await world.subscribe())).to.include({ kind: 'timeout', retryable: true })
    await untilFree()
  })

  it('holds the sender back as long as nobody reads', async () => {
    await make()
    let written = 0
    world.server.faults.push(faults.flood(1_000_000, () => written++))
    const events = await world.subscribe()
    let before = -1
    await pollUntil('the sender to stand still', async () => {
      const isStill = written === before
      before = written
      await systemClock.sleep(100)
      return isStill
    })
    // What the buffers of two connections of the system hold, and the server's own.
    expect(written).to.be.lessThan(30)
    const stoodAt = written
    let taken = 0
    for await (const _ of events) if (++taken > 10) break
    expect(written).to.be.greaterThan(stoodAt)
  })
})
