import { expect } from 'chai'
import type { DecodingOptions } from '../../src/consumer/batch-decoding.ts'
import type { DecodeFunction } from '../../src/decoding/decoder.ts'
import type { UndecodableAction } from '../../src/decoding/undecodable-rules.ts'
import { RecordUndecodableError, ThrottledError } from '../../src/model/errors.ts'
import type { ConsumedRecord } from '../../src/model/record.ts'
import type { DeadLetter } from '../../src/processor/dead-letter.ts'
import { type Handler, HandlerProcessor } from '../../src/processor/handler-processor.ts'
import { LaneProcessor } from '../../src/processor/lane-processor.ts'
import type { ProcessRecordsInput } from '../../src/processor/record-processor.ts'
import { aFailurePolicy } from '../support/builders.ts'
import { type RunOptions, type Script, ShardWorld } from './shard-world.ts'

/** Counts how often each record is decoded. What begins with `bad` cannot be. */
function aDecoder(how: DecodeFunction<unknown> = record => record.text().toUpperCase()) {
  const decoded: string[] = []
  const decode: DecodeFunction<unknown> = record => {
    decoded.push(record.text())
    if (record.text().startsWith('bad')) throw new TypeError(`cannot read ${record.byteLength} bytes`)
    return how(record)
  }
  return { decode, decoded }
}

interface Rig extends RunOptions {
  readonly onError?: UndecodableAction
  readonly decode?: DecodeFunction<unknown>
  readonly handler?: Handler
  readonly script?: Script
}

async function run(texts: readonly string[], { onError = 'fail', decode, handler, script, ...given }: Rig) {
  const world = new ShardWorld()
  world.put(...texts)
  const { decode: byDefault, decoded } = aDecoder()
  const letters: DeadLetter[] = []
  const decoding: DecodingOptions = { decode: decode ?? byDefault, onError }
  const store = async (stored: readonly DeadLetter[]): Promise<void> => {
    letters.push(...stored.map(letter => ({ ...letter, data: Uint8Array.from(letter.data) })))
  }
  const running = world.run(await world.claim(), script, {
    decoding,
    deadLettering: { destination: { name: 'letters', store }, stream: 'orders', applicationName: 'app' },
    ...(handler && { processor: () => new HandlerProcessor(handler) }),
    ...given
  })
  return { world, decoded, letters, ...running }
}

const valuesOf = (records: readonly ConsumedRecord[]): string => records.map(({ value }) => value).join(' ')
const textOf = ({ data }: DeadLetter): string => Buffer.from(data).toString()

describe('BatchDecoding', () => {
  it('gives records their values, and what they had is there as before', async () => {
    const seen: string[] = []
    const handler: Handler = records => {
      for (const record of records) {
        const { partitionKey, aggregated, byteLength } = record
        seen.push(`${record.value} ${record.text()} ${partitionKey} ${aggregated} ${byteLength} ${record.copy().value}`)
      }
    }
    const { world } = await run(['a'], { handler })
    world.putAggregate('b', 'c')
    await world.clock.advance(3_000)
    expect(seen).to.deep.equal(['A a key false 1 A', 'B b key true 1 B', 'C c key true 1 C'])
  })

  it('decodes each record once, however often it is called with', async () => {
    const seen: string[] = []
    const handler: Handler = records => {
      seen.push(valuesOf(records))
      if (records.some(({ value }) => value === 'C')) throw new Error('no C')
    }
    const policy = aFailurePolicy({ attempts: 3, bisect: true, lastResort: 'skip' })
    const { world, decoded, log } = await run(['a', 'b', 'c', 'd'], { handler, policy })
    await world.clock.advance(20_000)
    expect(seen).to.deep.equal(['A B C D', 'A B C D', 'A B', 'C', 'D'])
    expect(decoded).to.deep.equal(['a', 'b', 'c', 'd'])
    expect(log).to.include('! skip 1')
  })

  it('stores the letters of records that cannot be decoded before the others are processed', async () => {
    const events: string[] = []
    const handler: Handler = records => void events.push(valuesOf(records))
    const { world, letters, log } = await run(['a', 'bad1', 'b', 'bad2'], { handler, onError: 'dead-letter' })
    await world.clock.advance(3_000)
    expect(events).to.deep.equal(['A B'])
    expect(letters.map(textOf)).to.deep.equal(['bad1', 'bad2'])
    expect(letters[1]).to.deep.include({ attempts: 0, partitionKey: 'key' })
    expect(letters[1]?.error).to.deep.equal({
      name: 'RecordUndecodableError',
      message: `Record ${letters[1]?.sequenceNumber}#0 could not be decoded: cannot read 4 bytes`
    })
    expect(log.filter(line => line.startsWith('!'))).to.deep.equal([
      '! undecodable 2 decoder-failed dead-letter',
      '! dead-letter 2'
    ])
  })

  it('goes on after a batch of which nothing can be decoded', async () => {
    const seen: string[] = []
    const handler: Handler = records => void seen.push(valuesOf(records))
    const { world, letters, tenure } = await run(['bad1', 'bad2'], { handler, onError: 'dead-letter' })
    await world.clock.advance(3_000)
    expect(letters).to.have.length(2)
    expect(tenure.lease.checkpoint.sequenceNumber).to.equal(letters[1]?.sequenceNumber)
    world.put('a')
    await world.clock.advance(3_000)
    expect(seen).to.deep.equal(['A'])
  })

  it('skips them where that is asked for', async () => {
    const seen: string[] = []
    const handler: Handler = records => void seen.push(valuesOf(records))
    const { world, letters, log } = await run(['bad1', 'a'], { handler, onError: 'skip' })
    await world.clock.advance(3_000)
    expect([seen, letters]).to.deep.equal([['A'], []])
    expect(log).to.include('! skip 1')
  })

  it('never lets a bare checkpoint pass a record whose letter is not stored', async () => {
    const checkpointed: string[] = []
    let isDown = true
    const world = new ShardWorld()
    const [a, bad, b] = world.put('a', 'bad', 'b')
    const tenure = await world.claim()
    const running = world.run(
      tenure,
      {
        processRecords: async ({ records, checkpointer }: ProcessRecordsInput) => {
          await checkpointer.checkpoint()
          checkpointed.push(`${valuesOf(records)} ${tenure.lease.checkpoint.sequenceNumber}`)
        }
      },
      {
        decoding: { decode: aDecoder().decode, onError: 'dead-letter' },
        deadLettering: {
          destination: {
            name: 'letters',
            store: async () => {
              if (isDown) throw new Error('down')
            }
          },
          stream: 'orders',
          applicationName: 'app'
        }
      }
    )
    await world.clock.advance(3_000)
    expect(checkpointed).to.deep.equal([])
    expect(running.log).to.include('! letter true')
    isDown = false
    await world.clock.advance(60_000)
    expect(checkpointed).to.deep.equal([`A B ${b}`])
    expect([a, bad]).to.have.length(2)
  })

  it('has a record that cannot be decoded fail alone, after what comes before it is processed', async () => {
    const seen: string[] = []
    const handler: Handler = records => void seen.push(valuesOf(records))
    const policy = aFailurePolicy({ attempts: 3, lastResort: 'halt' })
    const { world, decoded, log, consumer } = await run(['a', 'b', 'bad', 'c'], { handler, policy })
    await world.clock.advance(60_000)
    expect(seen).to.deep.equal(['A B'])
    expect(decoded.filter(text => text === 'bad')).to.have.length(3)
    expect(consumer.state).to.equal('halted')
    expect(consumer.status.haltedBy).to.have.nested.property('cause.reason', 'decoder-failed')
    expect(log.filter(line => line.startsWith('! undecodable'))).to.deep.equal(['! undecodable 1 decoder-failed fail'])
    expect(log.filter(line => line.startsWith('! processRecords'))).to.have.length(3)
  })

  it('leaves what follows to the policy: the others go on, each in its order', async () => {
    const seen: string[] = []
    const handler: Handler = records => void seen.push(valuesOf(records))
    const policy = aFailurePolicy({ attempts: 2, lastResort: 'dead-letter', bisect: true })
    const { world, letters } = await run(['bad1', 'a', 'bad2', 'b'], { handler, policy })
    await world.clock.advance(60_000)
    expect(seen).to.deep.equal(['A', 'B'])
    expect(letters.map(letter => `${textOf(letter)} ${letter.attempts}`)).to.deep.equal(['bad1 2', 'bad2 2'])
  })

  it('takes a failure of the decoder for what it is: nothing is given up, and it is tried again', async () => {
    const seen: string[] = []
    let failures = 2
    const decoded: string[] = []
    const decode: DecodeFunction<unknown> = async record => {
      decoded.push(record.text())
      if (record.text() === 'b' && failures-- > 0) throw new ThrottledError('the registry says so')
      return record.text()
    }
    const handler: Handler = records => void seen.push(valuesOf(records))
    const { world, letters, log } = await run(['a', 'b', 'c'], { handler, decode, onError: 'dead-letter' })
    await world.clock.advance(60_000)
    expect([seen, letters]).to.deep.equal([['a b c'], []])
    expect(decoded).to.deep.equal(['a', 'b', 'c', 'b', 'b'])
    expect(log.filter(line => line.startsWith('!'))).to.deep.equal([
      '! processRecords 1 true',
      '! processRecords 2 true'
    ])
  })

  for (const lastResort of ['dead-letter', 'skip'] as const) {
    it(`gives nothing up while the decoder fails, for however long, where the last resort is ${lastResort}`, async () => {
      const seen: string[] = []
      let isDown = true
      const decode: DecodeFunction<unknown> = async record => {
        if (isDown) throw new ThrottledError('the registry says so')
        return record.text()
      }
      const handler: Handler = records => void seen.push(valuesOf(records))
      const policy = aFailurePolicy({ attempts: 2, maxElapsedMs: 10_000, lastResort, bisect: true })
      const { world, letters } = await run(['a', 'b'], { handler, decode, policy, onError: 'dead-letter' })
      await world.clock.advance(600_000)
      expect([seen, letters]).to.deep.equal([[], []])
      isDown = false
      await world.clock.advance(60_000)
      expect([seen, letters]).to.deep.equal([['a b'], []])
    })
  }

  it('bounds how long a decoder may take', async () => {
    const seen: string[] = []
    let isHanging = true
    const decode: DecodeFunction<unknown> = record => (isHanging ? new Promise(() => {}) : record.text())
    const handler: Handler = records => void seen.push(valuesOf(records))
    const { world, log } = await run(['a'], { handler, decode, handlerTimeoutMs: 10_000 })
    await world.clock.advance(14_000)
    expect(log.filter(line => line.startsWith('!'))).to.deep.equal([])
    isHanging = false
    await world.clock.advance(10_000)
    expect(log).to.include('! processRecords 1 true')
    expect(seen).to.deep.equal(['a'])
  })

  it('ends with the shard, whatever the decoder is at', async () => {
    const { world, consumer, isDone, calls } = await run(['a'], { decode: () => new Promise(() => {}) })
    await world.clock.advance(3_000)
    void consumer.abandon()
    await world.clock.advance(1_000)
    consumer.drain()
    await world.clock.advance(1_000)
    expect(calls()).to.not.include('records a')
    expect(isDone()).to.equal(true)
  })

  it('decodes for each lane on its own, and a record that cannot be keeps its lane only', async () => {
    const seen: string[] = []
    const each = (record: ConsumedRecord): void => void seen.push(String(record.value))
    const policy = aFailurePolicy({ attempts: 2, lastResort: 'halt' })
    const world = new ShardWorld()
    world.put('bad', 'after bad')
    world.kinesis.put('orders', 'other', 'x')
    const running = world.run(await world.claim(), undefined, {
      policy,
      decoding: { decode: aDecoder().decode, onError: 'fail' },
      concurrency: { perShard: 4, by: 'key', maxInFlight: 100 },
      processor: () => new LaneProcessor({ kind: 'each', each })
    })
    await world.clock.advance(200)
    expect(seen).to.deep.equal(['X'])
    await world.clock.advance(30_000)
    expect(seen).to.deep.equal(['X'])
    expect(running.consumer.state).to.equal('halted')
    expect(running.consumer.status.haltedBy?.cause).to.be.instanceOf(RecordUndecodableError)
  })

  it('dead-letters in lanes, too, and goes on in the same lane', async () => {
    const seen: string[] = []
    const each = (record: ConsumedRecord): void => void seen.push(String(record.value))
    const { world, letters } = await run(['a', 'bad', 'b'], {
      onError: 'dead-letter',
      concurrency: { perShard: 4, by: 'key', maxInFlight: 100 },
      processor: () => new LaneProcessor({ kind: 'each', each })
    })
    await world.clock.advance(3_000)
    expect(seen).to.deep.equal(['A', 'B'])
    expect(letters.map(textOf)).to.deep.equal(['bad'])
  })
})
