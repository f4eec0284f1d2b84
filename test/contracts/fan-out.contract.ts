// What every implementation of the port of enhanced fan-out has to do, on whatever service is behind it. Where an emulator is
// wrong, the run says so by the check's id, and the check then holds that it still is.
import { AssertionError, expect } from 'chai'
import type { FanOutPort, SubscriptionEvent } from '../../src/kinesis/fan-out-port.ts'
import type { IteratorStart } from '../../src/kinesis/kinesis-port.ts'
import { ServiceError, type ServiceErrorKind } from '../../src/model/errors.ts'
import type { KinesisRecord } from '../../src/model/record.ts'
import { DeviatingChecks, type Deviations } from './deviations.ts'

/** The first shard of every stream. */
export const FIRST = 'shardId-000000000000'

/** A service to test against, and the hands that change it. */
export interface FanOutContractWorld {
  port(stream: { streamName: string } | { streamArn: string }): FanOutPort
  /** Creates a stream with a name of its own, and waits until it is ACTIVE. */
  createStream(shardCount: number): Promise<string>
  streamArn(name: string): Promise<string>
  put(name: string, data: string): Promise<string>
  split(name: string, shardId: string): Promise<void>
  epochMs(): number
  /** Lets time pass. */
  pass(ms: number): Promise<void>
}

type Check = (id: string, title: string, body: (world: FanOutContractWorld) => Promise<void>) => void

/** How long `setup` may take. An emulator may have to be started more than once. */
const SETUP_MS = 90_000
/** After how many events nothing more is expected. The slowest service sends one every second. */
const MAX_EVENTS = 3

/**
 * Runs the suite on one service. `setup` is asked once, before the first check. `together`: all checks begin at once, for a
 * service that is slow to answer and has streams enough for all.
 */
export function describeFanOutPort(
  name: string,
  setup: () => Promise<FanOutContractWorld>,
  deviations: Deviations,
  { together = false } = {}
): void {
  describe(`FanOutPort on ${name}`, () => {
    let world: FanOutContractWorld
    const begun = new Map<string, Promise<void>>()
    const bodies = new Map<string, (world: FanOutContractWorld) => Promise<void>>()
    const checks = new DeviatingChecks(deviations)
    before(async function () {
      this.timeout(SETUP_MS)
      world = await setup()
      if (!together) return
      for (const [id, body] of bodies) {
        const running = body(world)
        running.catch(() => {})
        begun.set(id, running)
      }
    })
    const check: Check = (id, title, body) => {
      bodies.set(id, body)
      checks.check(id, title, () => begun.get(id) ?? body(world))
    }
    for (const part of [consumers, starting, delivering, ending, refusing]) part(check)
    checks.end()
  })
}

function consumers(check: Check): void {
  check('register', 'registers a consumer, which can be found by name and by ARN', async world => {
    const port = world.port({ streamName: await world.createStream(1) })
    const registered = await port.registerConsumer('reader')
    expect(registered.consumerName).to.equal('reader')
    expect(registered.createdAtMs).to.be.closeTo(world.epochMs(), 60_000)
    const consumer = await untilActive(world, port)
    expect(consumer.consumerArn).to.equal(registered.consumerArn)
    expect(await port.describeConsumer({ consumerArn: consumer.consumerArn })).to.deep.equal(consumer)
  })

  check('register-by-arn', 'registers a consumer of a stream that is named by ARN', async world => {
    const streamArn = await world.streamArn(await world.createStream(1))
    const registered = await world.port({ streamArn }).registerConsumer('reader')
    expect(registered.consumerArn.startsWith(`${streamArn}/consumer/reader:`)).to.equal(true)
  })

  check('register-twice', 'refuses a second consumer of a name', async world => {
    const port = world.port({ streamName: await world.createStream(1) })
    await port.registerConsumer('reader')
    await rejectsAs('in-use', port.registerConsumer('reader'))
  })

  check('describe-unknown', 'says that there is no such consumer', async world => {
    const port = world.port({ streamName: await world.createStream(1) })
    await rejectsAs('not-found', port.describeConsumer({ consumerName: 'nobody' }))
  })

  check('register-unknown-stream', 'says that there is no such stream', async world => {
    await rejectsAs('not-found', world.port({ streamName: 'nothing-here' }).registerConsumer('reader'))
  })
}

function starting(check: Check): void {
  /** The payloads that come from a start, told by the numbers and the times of three records; `count` of them are expected. */
  const startsAt = async (
    world: FanOutContractWorld,
    count: number,
    startOf: (records: readonly KinesisRecord[]) => IteratorStart
  ): Promise<string[]> => {
    const { name, events } = await threeRecords(world)
    const records = (await events({ type: 'TRIM_HORIZON' }, 3)).flatMap(event => event.records)
    const another = await aReader(world, name, 'another')
    return textsIn(await another.events(startOf(records), count))
  }
  const numberOf = (record: KinesisRecord | undefined): string => record?.sequenceNumber ?? ''

  check('at-number', 'starts with the record of a sequence number', async world => {
    const texts = await startsAt(world, 2, records => ({
      type: 'AT_SEQUENCE_NUMBER',
      sequenceNumber: numberOf(records[1])
    }))
    expect(texts).to.deep.equal(['b', 'c'])
  })

  check('after-number', 'starts after the record of a sequence number', async world => {
    const texts = await startsAt(world, 1, records => ({
      type: 'AFTER_SEQUENCE_NUMBER',
      sequenceNumber: numberOf(records[1])
    }))
    expect(texts).to.deep.equal(['c'])
  })

  check('at-timestamp', 'starts with the first record that arrived at a time or later', async world => {
    const texts = await startsAt(world, 2, records => ({
      type: 'AT_TIMESTAMP',
      timestampMs: records[1]?.arrivedAtMs ?? 0
    }))
    expect(texts).to.deep.equal(['b', 'c'])
  })

  check('continuation', 'goes on after the continuation of the last event', async world => {
    const { name, events } = await threeRecords(world)
    const last = (await events({ type: 'TRIM_HORIZON' }, 3)).at(-1)
    await world.put(name, 'd')
    const again = await aReader(world, name, 'another')
    const start = { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: last?.continuationSequenceNumber ?? '' } as const
    expect(textsIn(await again.events(start, 1))).to.deep.equal(['d'])
  })
}

function delivering(check: Check): void {
  check('order', 'delivers records from the oldest on, in order, with key and time of arrival', async world => {
    const { events, numbers } = await threeRecords(world)
    const records = (await events({ type: 'TRIM_HORIZON' }, 3)).flatMap(event => event.records)
    expect(records.map(({ sequenceNumber }) => sequenceNumber)).to.deep.equal(numbers)
    expect(records.map(({ partitionKey }) => partitionKey)).to.deep.equal(['key', 'key', 'key'])
    for (const { arrivedAtMs } of records) expect(arrivedAtMs).to.be.closeTo(world.epochMs(), 60_000)
  })

  check('latest', 'delivers what is put while a subscription waits', async world => {
    const name = await world.createStream(1)
    await world.put(name, 'before')
    const reader = await aReader(world, name, 'reader')
    const subscription = await reader.subscribe({ type: 'LATEST' })
    const [, waiting] = [await world.put(name, 'after'), reader.eventsOf(subscription, 1)]
    expect(textsIn(await waiting)).to.deep.equal(['after'])
  })

  check('idle', 'says where an idle shard is, and that nothing is left', async world => {
    const reader = await aReader(world, await world.createStream(1), 'reader')
    const [event] = await reader.events({ type: 'TRIM_HORIZON' }, 0)
    expect(event?.records).to.deep.equal([])
    expect(event?.millisBehindLatest).to.equal(0)
    expect(event?.continuationSequenceNumber).to.match(/^\d+$/)
  })
}

function ending(check: Check): void {
  check('end', 'ends after the last record of a closed shard, and names its children', async world => {
    const name = await world.createStream(1)
    await world.put(name, 'a')
    await world.split(name, FIRST)
    const reader = await aReader(world, name, 'reader')
    const events = await reader.events({ type: 'TRIM_HORIZON' }, 2)
    expect(textsIn(events)).to.deep.equal(['a'])
    expect(events.at(-1)?.continuationSequenceNumber).to.equal(undefined)
    expect(events.at(-1)?.childShards?.map(({ shardId }) => shardId)).to.deep.equal([
      ...['shardId-000000000001', 'shardId-000000000002']
    ])
  })

  check('abort', 'rejects with the reason of a signal, and frees the shard', async world => {
    const { events, subscribe } = await threeRecords(world)
    const [stop, reason] = [new AbortController(), new Error('enough')]
    const iterator = (await subscribe({ type: 'LATEST' }, stop.signal))[Symbol.asyncIterator]()
    const next = iterator.next().then(() => iterator.next())
    stop.abort(reason)
    expect(await next.catch((error: unknown) => error)).to.equal(reason)
    expect(textsIn(await events({ type: 'TRIM_HORIZON' }, 3))).to.deep.equal(['a', 'b', 'c'])
  })

  check('leave', 'lets go of the shard when the loop is left', async world => {
    const { events } = await threeRecords(world)
    for (const _ of ['first', 'second']) {
      expect(textsIn(await events({ type: 'TRIM_HORIZON' }, 3))).to.deep.equal(['a', 'b', 'c'])
    }
  })
}

function refusing(check: Check): void {
  check('unknown-consumer', 'says that there is no such consumer to subscribe', async world => {
    const name = await world.createStream(1)
    const consumerArn = `${await world.streamArn(name)}/consumer/nobody:1700000000`
    const port = world.port({ streamName: name })
    await rejectsAs('not-found', firstOf(port, { consumerArn, shardId: FIRST, start: { type: 'LATEST' } }))
  })

  check('unknown-shard', 'says that there is no such shard to subscribe to', async world => {
    const { port, consumerArn } = await aReader(world, await world.createStream(1), 'reader')
    const shardId = 'shardId-000000000099'
    await rejectsAs('not-found', firstOf(port, { consumerArn, shardId, start: { type: 'LATEST' } }))
  })

  check('twice', 'refuses a second subscription within five seconds', async world => {
    const { port, consumerArn, subscribe } = await threeRecords(world)
    const first = (await subscribe({ type: 'TRIM_HORIZON' }))[Symbol.asyncIterator]()
    await first.next()
    await rejectsAs('in-use', firstOf(port, { consumerArn, shardId: FIRST, start: { type: 'LATEST' } }))
    await first.return?.()
  })
}

async function firstOf(port: FanOutPort, input: Parameters<FanOutPort['subscribeToShard']>[0]): Promise<void> {
  // Some services refuse in the answer, others in its first message.
  for await (const _ of await port.subscribeToShard(input)) return
}

async function threeRecords(world: FanOutContractWorld) {
  const name = await world.createStream(1)
  const numbers: string[] = []
  for (const letter of ['a', 'b', 'c']) {
    numbers.push(await world.put(name, letter))
    // So that they arrive at different times.
    await world.pass(5)
  }
  return { ...(await aReader(world, name, 'reader')), name, numbers }
}

/** An active consumer, and ways to read the first shard with it. */
async function aReader(world: FanOutContractWorld, name: string, consumerName: string) {
  const port = world.port({ streamName: name })
  await port.registerConsumer(consumerName)
  const { consumerArn } = await untilActive(world, port, consumerName)
  const subscribe = (start: IteratorStart, signal?: AbortSignal): Promise<AsyncIterable<SubscriptionEvent>> =>
    port.subscribeToShard({ consumerArn, shardId: FIRST, start, signal })
  /** Events until so many records have come, or the shard has ended; at least one, and not too many. */
  const eventsOf = async (subscription: AsyncIterable<SubscriptionEvent>, count: number) => {
    const all: SubscriptionEvent[] = []
    for await (const event of subscription) {
      all.push(event)
      if (textsIn(all).length >= count || all.length === MAX_EVENTS) break
    }
    return all
  }
  /** Subscribes as soon as the service lets it, and reads events. */
  const events = async (start: IteratorStart, count: number): Promise<SubscriptionEvent[]> => {
    for (let tries = 0; ; tries++) {
      try {
        return await eventsOf(await subscribe(start), count)
      } catch (error) {
        const isInUse = error instanceof ServiceError && error.kind === 'in-use'
        if (!isInUse || tries === 60) throw error
        await world.pass(200)
      }
    }
  }
  return { port, consumerArn, subscribe, eventsOf, events }
}

async function untilActive(world: FanOutContractWorld, port: FanOutPort, consumerName = 'reader') {
  for (let tries = 0; tries < 100; tries++) {
    const consumer = await port.describeConsumer({ consumerName })
    if (consumer.status === 'ACTIVE') return consumer
    await world.pass(50)
  }
  throw new AssertionError('the consumer does not become active')
}

function textsIn(events: readonly SubscriptionEvent[]): string[] {
  return events.flatMap(({ records }) => records.map(({ data }) => new TextDecoder().decode(data)))
}

async function rejectsAs(kind: ServiceErrorKind, call: Promise<unknown>): Promise<void> {
  const outcome = await call.catch((error: unknown) => error)
  expect(outcome).to.be.instanceOf(ServiceError)
  expect((outcome as ServiceError).kind).to.equal(kind)
}
