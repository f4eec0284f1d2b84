// Records that cannot be decoded among others, while workers crash and shards split: none is lost, none stops another one, and the
// letter of each is stored.
import { expect } from 'chai'
import { type DeadLetter, tumblingWindows, type UndecodableAction, type WorkerOptions } from '../../src/index.ts'
import { simulate } from '../../src/testing/index.ts'
import { seeds } from '../support/seeds.ts'

const RECORDS = 400
// biome-ignore lint/suspicious/noThenProperty: that is the name of the option
const SKIPPING = { attempts: 2, backoffMs: 1, then: 'skip' } as const
const isBad = (number: number): boolean => number % 7 === 3

interface Order {
  readonly number: number
}

/** Decodes what is JSON; every third one takes its time, as one whose schema has to be looked up. */
function decode(record: { json<T>(): T; readonly arrivedAtMs: number | undefined }): Order | Promise<Order> {
  const order = record.json<Order>()
  return order.number % 3 === 0 ? Promise.resolve(order) : order
}

/** Puts records, and has them processed through a crash and a split. */
async function story(seed: number, code: Partial<WorkerOptions<Order>>, onDecodeError: UndecodableAction) {
  const world = simulate({ seed, faults: 'calm' })
  const letters: string[] = []
  world.kinesis.createStream('orders', 2)
  const put = (from: number, to: number): void => {
    for (let number = from; number < to; number++) {
      world.kinesis.put('orders', `key-${number % 20}`, isBad(number) ? `no ${number}` : JSON.stringify({ number }))
    }
  }
  const deadLetters = (given: readonly DeadLetter[]): void => {
    letters.push(...given.map(({ data }) => Buffer.from(data).toString()))
  }
  const options = {
    streamName: 'orders',
    applicationName: 'indexer',
    startAt: 'TRIM_HORIZON',
    decode,
    onDecodeError,
    ...(onDecodeError === 'dead-letter' && { deadLetters }),
    ...code
  } as WorkerOptions<Order>
  put(0, RECORDS / 2)
  const first = await world.start(options)
  await world.advance(5_000)
  world.split('orders')
  put(RECORDS / 2, RECORDS)
  await world.start(options)
  await world.advance(5_000)
  world.crash(first)
  await world.untilProcessed()
  world.assertOrder()
  await world.stopAll()
  return { letters, world }
}

const numbers = Array.from({ length: RECORDS }, (_, number) => number)
const [bad, good] = [numbers.filter(isBad), numbers.filter(number => !isBad(number))]

describe('records that cannot be decoded', () => {
  for (const seed of seeds(2)) {
    it(`go to dead letters, and nothing else does, with a handler (SEED=${seed})`, async () => {
      const seen = new Set<number>()
      const handler: WorkerOptions<Order>['handler'] = records => {
        for (const { value } of records) seen.add(value.number)
      }
      const { letters } = await story(seed, { handler } as Partial<WorkerOptions<Order>>, 'dead-letter')
      expect([...seen].sort((a, b) => a - b)).to.deep.equal(good)
      expect(new Set(letters)).to.deep.equal(new Set(bad.map(number => `no ${number}`)))
    })

    it(`go to dead letters with many calls at once, in order by key (SEED=${seed})`, async () => {
      const seen = new Set<number>()
      const each: WorkerOptions<Order>['each'] = ({ value }) => void seen.add(value.number)
      const code = { each, concurrency: { perShard: 8 } } as Partial<WorkerOptions<Order>>
      const { letters } = await story(seed, code, 'dead-letter')
      expect([...seen].sort((a, b) => a - b)).to.deep.equal(good)
      expect(new Set(letters)).to.deep.equal(new Set(bad.map(number => `no ${number}`)))
    })

    it(`are skipped where that is asked for by name (SEED=${seed})`, async () => {
      const seen = new Set<number>()
      const handler: WorkerOptions<Order>['handler'] = records => {
        for (const { value } of records) seen.add(value.number)
      }
      await story(seed, { handler } as Partial<WorkerOptions<Order>>, 'skip')
      expect([...seen].sort((a, b) => a - b)).to.deep.equal(good)
    })
  }

  it('fail as the policy has it, each alone, where nothing is said', async () => {
    const seen = new Set<number>()
    const code = {
      handler: (records: readonly { readonly value: Order }[]) => {
        for (const { value } of records) seen.add(value.number)
      },
      onProcessorError: SKIPPING
    } as unknown as Partial<WorkerOptions<Order>>
    await story(1, code, 'fail')
    expect([...seen].sort((a, b) => a - b)).to.deep.equal(good)
  })

  it('are in no window, and keep none from being closed', async () => {
    const world = simulate({ seed: 1, faults: 'none', onViolation: 'collect' })
    world.kinesis.createStream('orders', 1)
    const sums: number[] = []
    const letters: DeadLetter[] = []
    await world.start({
      streamName: 'orders',
      applicationName: 'sums',
      startAt: 'TRIM_HORIZON',
      decode: record => record.json<Order>(),
      deadLetters: given => void letters.push(...given),
      processor: tumblingWindows<{ sum: number }, Order>({
        windowMs: 10_000,
        open: () => ({ sum: 0 }),
        add: ({ sum }, { value }) => ({ sum: sum + value.number }),
        close: ({ state }) => void sums.push(state.sum),
        clock: world.clock
      })
    })
    for (let number = 0; number < 40; number++) {
      world.kinesis.put('orders', 'key', isBad(number) ? 'no' : JSON.stringify({ number }))
      await world.advance(1_000)
    }
    await world.advance(60_000)
    const sum = good.filter(number => number < 40).reduce((a, b) => a + b, 0)
    expect(sums.reduce((a, b) => a + b, 0)).to.equal(sum)
    expect(letters).to.have.length(bad.filter(number => number < 40).length)
    await world.stopAll()
  })
})
