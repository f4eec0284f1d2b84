import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { expect } from 'chai'
import { ServiceError } from '../../src/model/errors.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import * as faults from '../support/fan-out-server-faults.ts'
import { pollUntil } from '../support/poll.ts'
import { type FanOutWorld, FIRST, failureOf, fanOutWorld, STREAM, take } from './fan-out-world.ts'

const LATEST = { type: 'LATEST' } as const
const KILOBYTE = 1024

describe('Http2Session', () => {
  let world: FanOutWorld
  const make = async (...options: Parameters<typeof fanOutWorld>): Promise<FanOutWorld> => {
    world = await fanOutWorld(...options)
    return world
  }
  afterEach(() => world.close())

  describe('holds the sender back', () => {
    it('as long as nobody reads, at the window of one stream', async () => {
      await make()
      let written = 0
      world.server.faults.push(faults.flood(64 * KILOBYTE, () => written++))
      const events = await world.subscribe()
      let before = -1
      await pollUntil('the sender to stand still', async () => {
        const carried = world.server.line.bytesToClients
        const isStill = carried > 0 && carried === before
        before = carried
        await systemClock.sleep(50)
        return isStill
      })
      expect(world.server.line.bytesToClients).to.be.within(400 * KILOBYTE, 540 * KILOBYTE)
      const stoodAt = written
      // The stream goes on where it stood.
      let taken = 0
      for await (const { records } of events) {
        taken += records.length
        if (taken === 100) break
      }
      expect(written).to.be.greaterThan(stoodAt)
    })

    it('on one stream without holding up the others of the session', async () => {
      await make({}, { shards: 2 })
      const second = 'shardId-000000000001'
      world.server.faults.push(faults.flood(64 * KILOBYTE, () => {}))
      await world.subscribe()
      for (let count = 0; count < 40; count++) world.server.put(STREAM, second, new Uint8Array(100 * KILOBYTE))
      const { port, consumerArn } = world
      const events = await port.subscribeToShard({ consumerArn, shardId: second, start: { type: 'TRIM_HORIZON' } })
      expect(await take(events, 40)).to.have.length(40)
      expect(world.server.sessionsEver).to.equal(1)
    })
  })

  describe('notices', () => {
    const quick = { pingEveryMs: 40, pingTimeoutMs: 40 }

    it('that the other side is dead, by a ping without an answer', async () => {
      await make(quick)
      world.server.faults.push(faults.dead(1))
      const failure = await failureOf(await world.subscribe())
      expect(failure).to.include({ kind: 'timeout', retryable: true })
      expect(String(failure)).to.include('is dead: a ping had no answer within 40 ms')
      world.server.put(STREAM, FIRST, 'a')
      await systemClock.sleep(60)
      expect(await take(await world.subscribe(), 1)).to.deep.equal(['a'])
      expect(world.server.sessionsEver).to.equal(2)
    })

    it('that it is dead while nobody reads', async () => {
      await make(quick)
      world.server.faults.push(faults.dead(0))
      const events = await world.subscribe()
      await pollUntil('the connection to be given up', () => world.server.line.openConnections === 0)
      expect(await failureOf(events)).to.include({ kind: 'timeout', retryable: true })
    })

    it('that a stream is silent, though the connection is well', async () => {
      await make({ idleTimeoutMs: 60 })
      world.server.faults.push(faults.silence(1))
      const failure = await failureOf(await world.subscribe())
      expect(failure).to.include({ kind: 'timeout', retryable: true })
      expect(String(failure)).to.include('nothing came for 60 ms')
      await pollUntil('the stream to be reset', () => world.server.subscriptions.size === 0)
    })

    it('no silence in a reader who takes his time', async () => {
      await make({ idleTimeoutMs: 40, ...quick })
      for (const letter of ['a', 'b', 'c']) world.server.put(STREAM, FIRST, letter)
      const texts: string[] = []
      for await (const { records } of await world.subscribe()) {
        texts.push(...records.map(({ data }) => new TextDecoder().decode(data)))
        if (texts.length === 3) break
        world.server.put(STREAM, FIRST, 'd')
        await systemClock.sleep(120)
      }
      expect(texts.slice(0, 3)).to.deep.equal(['a', 'b', 'c'])
    })

    it('that a request has no answer, and gives up nothing else', async () => {
      await make({ requestTimeoutMs: 200 }, { shards: 2 })
      const { port, consumerArn, server } = world
      const others = await port.subscribeToShard({ consumerArn, shardId: 'shardId-000000000001', start: LATEST })
      server.faults.push(faults.unanswered())
      expect(await failureOf(world.subscribe())).to.include({ kind: 'timeout', retryable: true })
      await pollUntil('the stream to be reset', () => server.subscriptions.size === 1)
      server.put(STREAM, 'shardId-000000000001', 'a')
      expect(await take(others, 1)).to.deep.equal(['a'])
    })

    it('that a request has no answer because the connection is dead, before it is time to ask', async () => {
      await make({ requestTimeoutMs: 200, pingTimeoutMs: 40 })
      world.server.faults.push(faults.deadUnanswered())
      expect(await failureOf(world.subscribe())).to.include({ kind: 'timeout', retryable: true })
      await pollUntil('the connection to be given up', () => world.server.line.openConnections === 0)
    })

    it('that nobody answers at the other end', async () => {
      await make({ connectTimeoutMs: 40 })
      const mute = createServer(() => {})
      await new Promise<void>(resolve => mute.listen(0, '127.0.0.1', resolve))
      const { port: number } = mute.address() as { port: number }
      const client = { ...world.server.clientConfig(), endpoint: `http://127.0.0.1:${number}` }
      const { consumerArn } = world
      const port = world.open({ client })
      const failure = await failureOf(port.subscribeToShard({ consumerArn, shardId: FIRST, start: LATEST }))
      mute.close()
      expect(failure).to.include({ kind: 'timeout', retryable: true })
      expect(String(failure)).to.include('could not be connected to within 40 ms')
    })

    it('that nobody is there, or nobody of that name', async () => {
      await make()
      for (const endpoint of ['http://127.0.0.1:1', 'http://nowhere.invalid']) {
        const port = world.open({ client: { ...world.server.clientConfig(), endpoint } })
        const { consumerArn } = world
        const failure = await failureOf(port.subscribeToShard({ consumerArn, shardId: FIRST, start: LATEST }))
        expect(failure).to.be.instanceOf(ServiceError)
        expect(failure).to.include({ kind: 'other', retryable: true })
      }
    })
  })

  describe('ends', () => {
    it('when it is asked to in peace: what is on it goes on, what is new goes elsewhere', async () => {
      await make({}, { shards: 2 })
      world.server.faults.push(faults.goAwayInPeace(1))
      const first = (await world.subscribe())[Symbol.asyncIterator]()
      await first.next()
      world.server.put(STREAM, FIRST, 'a')
      await pollUntil('a record', async () => ((await first.next()).value?.records.length ?? 0) > 0)
      const { port, consumerArn } = world
      await port.subscribeToShard({ consumerArn, shardId: 'shardId-000000000001', start: LATEST })
      expect(world.server.sessionsEver).to.equal(2)
      await first.return?.()
      await pollUntil('the old session to end', () => world.server.sessions === 1)
    })

    it('when it has had no stream for a while', async () => {
      await make({ pingEveryMs: 40 })
      await take(await world.subscribe(), 0)
      await pollUntil('the session to end', () => world.server.line.openConnections === 0)
    })
  })

  describe('over TLS', () => {
    const { key, cert } = JSON.parse(
      readFileSync(createRequire(import.meta.url).resolve('kinesis-local/server.json'), 'utf8')
    ).server

    it('trusts whom it is told to, and speaks HTTP/2', async () => {
      await make({ http2: undefined, tls: { ca: cert, servername: 'Unknown' } }, { tls: { key, cert } })
      world.server.put(STREAM, FIRST, 'a')
      expect(await take(await world.subscribe(), 1)).to.deep.equal(['a'])
      expect(world.server.sessionsEver).to.equal(1)
    })

    for (const protocols of [['http/1.1'], undefined]) {
      it(`says so where the other side speaks ${protocols ?? 'nothing that it would name'}`, async () => {
        const tls = createTlsServer({ key, cert, ...(protocols && { ALPNProtocols: protocols }) })
        await new Promise<void>(resolve => tls.listen(0, '127.0.0.1', resolve))
        const { port: number } = tls.address() as { port: number }
        await make({ http2: undefined, tls: { ca: cert, servername: 'Unknown' } })
        const client = { ...world.server.clientConfig(), endpoint: `https://127.0.0.1:${number}` }
        const port = world.open({ client })
        const { consumerArn } = world
        const failure = await failureOf(port.subscribeToShard({ consumerArn, shardId: FIRST, start: LATEST }))
        tls.close()
        expect(failure).to.include({ kind: 'other', retryable: false })
        expect(String(failure)).to.include('does not speak HTTP/2')
      })
    }

    it('trusts nobody else', async () => {
      await make({ http2: undefined }, { tls: { key, cert } })
      const failure = await failureOf(world.subscribe())
      expect(failure).to.include({ kind: 'other', retryable: false })
      expect(String(failure)).to.match(/self.signed certificate/)
      expect(String(failure)).to.include('NODE_EXTRA_CA_CERTS')
    })
  })
})
