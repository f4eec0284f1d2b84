import { expect } from 'chai'
import type { KinesisPort } from '../../src/kinesis/kinesis-port.ts'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { containsHashKey } from '../../src/model/hash-key-range.ts'
import { isClosed } from '../../src/model/shard.ts'
import { type FakeCall, FakeKinesis, type FakeKinesisOptions } from '../../src/testing/fake-kinesis.ts'
import { hashKeyOf } from '../../src/testing/fake-stream.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const FIRST = 'shardId-000000000000'
const SECOND = 'shardId-000000000001'
const MIB = 1024 * 1024

function aKinesis(options: Omit<FakeKinesisOptions, 'clock'> = {}) {
  const clock = new VirtualClock()
  const kinesis = new FakeKinesis({ clock, ...options })
  kinesis.createStream('orders')
  return { clock, kinesis, port: kinesis.port('orders') }
}

const fromStart = (port: KinesisPort, shardId = FIRST) => port.getShardIterator(shardId, { type: 'TRIM_HORIZON' })

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => expect.fail('did not fail'),
    (error: unknown) => error
  )
}

async function kindOf(call: Promise<unknown>): Promise<string> {
  const failure = await failureOf(call)
  expect(failure).to.be.instanceOf(ServiceError)
  return (failure as ServiceError).kind
}

describe('FakeKinesis', () => {
  describe('sequence numbers', () => {
    it('have 56 digits and grow over all shards of a stream', () => {
      const { kinesis } = aKinesis()
      kinesis.split('orders', FIRST)
      const put = Array.from({ length: 40 }, (_, index) => kinesis.put('orders', `key ${index}`, 'x'))
      expect(new Set(put.map(({ shardId }) => shardId)).size).to.equal(2)
      const numbers = put.map(({ sequenceNumber }) => sequenceNumber)
      for (const number of numbers) expect(number).to.match(/^\d{56}$/)
      expect(numbers).to.deep.equal([...new Set(numbers)].sort())
    })

    it('lie between the first and the last of their shard', () => {
      const { kinesis } = aKinesis()
      const { sequenceNumber } = kinesis.put('orders', 'key', 'x')
      kinesis.split('orders', FIRST)
      const [shard] = kinesis.shards('orders')
      expect((shard?.startingSequenceNumber ?? '') < sequenceNumber).to.equal(true)
      expect((shard?.endingSequenceNumber ?? '') > sequenceNumber).to.equal(true)
    })

    it('need not be of a record to start at', async () => {
      const { kinesis, port } = aKinesis()
      const put = ['a', 'b', 'c'].map(data => kinesis.put('orders', 'key', data))
      const [, b, c] = put.map(({ sequenceNumber }) => sequenceNumber)
      kinesis.trimTo('orders', FIRST, c ?? '')
      const iterator = await port.getShardIterator(FIRST, { type: 'AT_SEQUENCE_NUMBER', sequenceNumber: b ?? '' })
      const { records } = await port.getRecords(iterator, { limit: 10 })
      expect(records.map(({ sequenceNumber }) => sequenceNumber)).to.deep.equal([c])
    })
  })

  describe('put', () => {
    it('finds the shard by the MD5 of the partition key', () => {
      const { kinesis } = aKinesis()
      kinesis.split('orders', FIRST)
      // MD5 of "a" begins with 0c, of "c" with 4a, of "b" with 92, of "d" with 82.
      const shards = ['a', 'c', 'b', 'd'].map(key => kinesis.put('orders', key, 'x').shardId)
      expect(shards).to.deep.equal([SECOND, SECOND, 'shardId-000000000002', 'shardId-000000000002'])
    })

    it('finds the shard by an explicit hash key instead', () => {
      const { kinesis } = aKinesis()
      kinesis.split('orders', FIRST)
      const put = kinesis.put('orders', 'a', 'x', { explicitHashKey: String(2n ** 128n - 1n) })
      expect(put.shardId).to.equal('shardId-000000000002')
    })
  })

  describe('streams', () => {
    it('are another one after being deleted and created again', async () => {
      const { clock, kinesis, port } = aKinesis()
      const { sequenceNumber } = kinesis.put('orders', 'key', 'x')
      const [iterator, before] = [await fromStart(port), await port.describeStream()]
      kinesis.deleteStream('orders')
      expect(await kindOf(port.listShards())).to.equal('not-found')
      await clock.advance(1_000)
      kinesis.createStream('orders', 2)
      const after = await port.describeStream()
      expect(after.streamArn).to.equal(before.streamArn)
      expect(after.creationEpoch).to.equal(before.creationEpoch + 1)
      expect(await kindOf(port.getRecords(iterator, { limit: 1 }))).to.equal('invalid-argument')
      const start = { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber } as const
      expect(await kindOf(port.getShardIterator(FIRST, start))).to.equal('invalid-argument')
    })

    it('cannot be listed while they are being created', async () => {
      const { kinesis, port } = aKinesis()
      kinesis.setStatus('orders', 'CREATING')
      expect((await port.describeStream()).status).to.equal('CREATING')
      expect(await kindOf(port.listShards())).to.equal('in-use')
    })

    it('refuse to split or merge what is closed or does not adjoin', () => {
      const { kinesis } = aKinesis()
      kinesis.createStream('wide', 3)
      kinesis.split('orders', FIRST)
      expect(() => kinesis.split('orders', FIRST)).to.throw(ServiceError, 'closed')
      expect(() => kinesis.merge('wide', FIRST, 'shardId-000000000002')).to.throw(ServiceError, 'adjoin')
      expect(() => kinesis.split('wide', FIRST, 0n)).to.throw(ServiceError, 'hash key 0')
    })
  })

  describe('expiry', () => {
    it('of an iterator comes five minutes after it was made', async () => {
      const { clock, port } = aKinesis()
      const iterator = await fromStart(port)
      await clock.advance(300_000)
      const { nextIterator = '' } = await port.getRecords(iterator, { limit: 1 })
      await clock.advance(1)
      expect(await kindOf(port.getRecords(iterator, { limit: 1 }))).to.equal('expired-iterator')
      await port.getRecords(nextIterator, { limit: 1 })
    })

    it('of a shard makes it unknown, while its children keep its name', async () => {
      const { kinesis, port } = aKinesis()
      const iterator = await fromStart(port)
      const children = kinesis.split('orders', FIRST)
      kinesis.expireShard('orders', FIRST)
      expect(await kindOf(port.getRecords(iterator, { limit: 1 }))).to.equal('not-found')
      expect(await kindOf(fromStart(port))).to.equal('not-found')
      const shards = await port.listShards()
      expect(shards.map(({ shardId }) => shardId)).to.deep.equal(children)
      expect(shards.map(({ parentShardId }) => parentShardId)).to.deep.equal([FIRST, FIRST])
      expect(await port.listShards({ filter: { type: 'AT_TIMESTAMP', timestampMs: 0 } })).to.have.length(2)
    })

    it('of records moves TRIM_HORIZON, and an old iterator skips them', async () => {
      const { kinesis, port } = aKinesis()
      const iterator = await fromStart(port)
      const [, b] = ['a', 'b'].map(data => kinesis.put('orders', 'key', data))
      kinesis.trimTo('orders', FIRST, b?.sequenceNumber ?? '')
      for (const from of [iterator, await fromStart(port)]) {
        const { records } = await port.getRecords(from, { limit: 10 })
        expect(records.map(({ sequenceNumber }) => sequenceNumber)).to.deep.equal([b?.sequenceNumber])
      }
    })
  })

  describe('retention', () => {
    const retentionMs = 3_600_000

    it('lets records expire, and has reading begin at the horizon', async () => {
      const { clock, kinesis } = aKinesis()
      kinesis.createStream('short', 1, { retentionMs })
      const port = kinesis.port('short')
      const a = kinesis.put('short', 'key', 'a')
      const old = await fromStart(port)
      await clock.advance(retentionMs - 1)
      const b = kinesis.put('short', 'key', 'b')
      expect((await port.getRecords(await fromStart(port), { limit: 10 })).records).to.have.length(2)
      await clock.advance(1)
      const start = { type: 'AT_SEQUENCE_NUMBER', sequenceNumber: a.sequenceNumber } as const
      for (const iterator of [await fromStart(port), await port.getShardIterator(FIRST, start)]) {
        const { records } = await port.getRecords(iterator, { limit: 10 })
        expect(records.map(({ sequenceNumber }) => sequenceNumber)).to.deep.equal([b.sequenceNumber])
      }
      expect(await kindOf(port.getRecords(old, { limit: 10 }))).to.equal('expired-iterator')
    })

    it('lets a closed shard expire when nothing can be left in it', async () => {
      const { clock, kinesis } = aKinesis()
      kinesis.createStream('short', 1, { retentionMs })
      const children = kinesis.split('short', FIRST)
      await clock.advance(retentionMs - 1)
      expect([kinesis.hasShard('short', FIRST), kinesis.shards('short').length]).to.deep.equal([true, 3])
      await clock.advance(1)
      expect(kinesis.hasShard('short', FIRST)).to.equal(false)
      expect(kinesis.shards('short').map(({ shardId }) => shardId)).to.deep.equal(children)
    })

    it('is a day unless it is said, and may be changed', async () => {
      const { clock, kinesis } = aKinesis()
      kinesis.put('orders', 'key', 'x')
      await clock.advance(86_399_999)
      expect(kinesis.records('orders', FIRST)).to.have.length(1)
      kinesis.setRetention('orders', retentionMs)
      expect(kinesis.records('orders', FIRST)).to.have.length(0)
    })
  })

  describe('with many shards', () => {
    it('finds the shard of each key among 10,000, and after splits and merges', async () => {
      const { kinesis } = aKinesis()
      kinesis.createStream('wide', 10_000)
      const [, second] = kinesis.split('wide', FIRST)
      kinesis.merge('wide', second, 'shardId-000000000001')
      kinesis.split('wide', 'shardId-000000009999')
      const open = kinesis.shards('wide').filter(shard => !isClosed(shard))
      expect(open).to.have.length(10_001)
      for (let index = 0; index < 500; index++) {
        const key = `key ${index}`
        const { shardId } = kinesis.put('wide', key, 'x')
        const hashKey = hashKeyOf(key)
        const owner = open.filter(({ hashKeyRange }) => containsHashKey(hashKeyRange, hashKey))
        expect(owner.map(shard => shard.shardId)).to.deep.equal([shardId])
      }
    })
  })

  describe('observer', () => {
    it('is told of puts, of resharding and of deletions', () => {
      const told: unknown[] = []
      const kinesis = new FakeKinesis({
        clock: new VirtualClock(),
        observer: {
          put: (streamName, { shardId }, { partitionKey }, explicitHashKey) =>
            told.push(['put', streamName, shardId, partitionKey, explicitHashKey]),
          resharded: (...what) => told.push(['resharded', ...what]),
          deleted: streamName => told.push(['deleted', streamName])
        }
      })
      kinesis.createStream('orders')
      kinesis.put('orders', 'key', 'x', { explicitHashKey: '7' })
      const children = kinesis.split('orders', FIRST)
      const child = kinesis.merge('orders', ...children)
      kinesis.deleteStream('orders')
      expect(told).to.deep.equal([
        ['put', 'orders', FIRST, 'key', '7'],
        ['resharded', 'orders', [FIRST], children],
        ['resharded', 'orders', children, [child]],
        ['deleted', 'orders']
      ])
      expect(kinesis.streamNames).to.deep.equal([])
    })
  })

  describe('answers', () => {
    it('hold at most 10 MiB and 10,000 records', async () => {
      const { kinesis, port } = aKinesis()
      for (let index = 0; index < 12; index++) kinesis.put('orders', 'key', new Uint8Array(MIB))
      const large = await port.getRecords(await fromStart(port), { limit: 10_000 })
      expect(large.records).to.have.length(10)
      for (let index = 0; index < 10_001; index++) kinesis.put('orders', 'key', '')
      const rest = await port.getRecords(large.nextIterator ?? '', { limit: 10_000 })
      expect(rest.records).to.have.length(10_000)
      expect(rest.millisBehindLatest).to.equal(1)
    })

    it('refuse a limit out of range', async () => {
      const { port } = aKinesis()
      const iterator = await fromStart(port)
      expect(await kindOf(port.getRecords(iterator, { limit: 0 }))).to.equal('invalid-argument')
      expect(await kindOf(port.getRecords(iterator, { limit: 10_001 }))).to.equal('invalid-argument')
    })

    it('name no children at the end of a shard if told so', async () => {
      const { kinesis, port } = aKinesis({ sendChildShards: false })
      kinesis.split('orders', FIRST)
      const answer = await port.getRecords(await fromStart(port), { limit: 1 })
      expect(answer).to.deep.equal({ records: [], bytes: 0, millisBehindLatest: 0 })
    })
  })

  describe('limits', () => {
    it('let a shard be read five times a second', async () => {
      const { clock, kinesis, port } = aKinesis({ enforceLimits: true })
      kinesis.createStream('other')
      const iterator = await fromStart(port)
      for (let read = 0; read < 5; read++) await port.getRecords(iterator, { limit: 1 })
      expect(await failureOf(port.getRecords(iterator, { limit: 1 }))).to.be.instanceOf(ThrottledError)
      const other = kinesis.port('other')
      await other.getRecords(await fromStart(other), { limit: 1 })
      await clock.advance(1_000)
      await port.getRecords(iterator, { limit: 1 })
    })

    it('block a shard for five seconds after an answer of 10 MiB', async () => {
      const { clock, kinesis, port } = aKinesis({ enforceLimits: true })
      for (let index = 0; index < 10; index++) kinesis.put('orders', 'key', new Uint8Array(MIB))
      const { nextIterator = '' } = await port.getRecords(await fromStart(port), { limit: 10_000 })
      await clock.advance(4_999)
      expect(await failureOf(port.getRecords(nextIterator, { limit: 1 }))).to.be.instanceOf(ThrottledError)
      await clock.advance(1)
      await port.getRecords(nextIterator, { limit: 1 })
    })

    it('are off unless asked for', async () => {
      const { port } = aKinesis()
      const iterator = await fromStart(port)
      for (let read = 0; read < 20; read++) await port.getRecords(iterator, { limit: 1 })
    })
  })

  describe('intercept', () => {
    it('sees every call, with its shard', async () => {
      const { kinesis, port } = aKinesis()
      const calls: FakeCall[] = []
      kinesis.intercept = call => {
        calls.push(call)
      }
      await port.describeStream()
      await port.listShards()
      await port.getRecords(await fromStart(port), { limit: 7 })
      expect(calls).to.deep.equal([
        { streamName: 'orders', name: 'describeStream' },
        { streamName: 'orders', name: 'listShards' },
        { streamName: 'orders', name: 'getShardIterator', shardId: FIRST, start: { type: 'TRIM_HORIZON' } },
        { streamName: 'orders', name: 'getRecords', shardId: FIRST, limit: 7 }
      ])
    })

    it('makes a call fail with what it throws', async () => {
      const { kinesis, port } = aKinesis()
      const fault = new ThrottledError('not so fast')
      kinesis.intercept = ({ name }) => {
        if (name === 'listShards') throw fault
      }
      expect(await failureOf(port.listShards())).to.equal(fault)
      await port.describeStream()
    })

    it('delays a call, which is answered with what is there by then', async () => {
      const { clock, kinesis, port } = aKinesis()
      const iterator = await fromStart(port)
      kinesis.intercept = () => clock.sleep(50)
      const reading = port.getRecords(iterator, { limit: 10 })
      kinesis.put('orders', 'key', 'x')
      await clock.advance(50)
      expect((await reading).records).to.have.length(1)
    })

    it('makes a call hang until its deadline, or until its signal aborts', async () => {
      const { clock, kinesis, port } = aKinesis()
      kinesis.intercept = () => new Promise(() => {})
      const hanging = failureOf(port.describeStream())
      await clock.advance(10_000)
      expect(await hanging).to.include({ kind: 'timeout', retryable: true })
      const stop = new AbortController()
      const stopped = failureOf(port.describeStream({ signal: stop.signal }))
      stop.abort(new Error('stopping'))
      expect(await stopped).to.have.property('message', 'stopping')
      expect(clock.sleeping).to.equal(0)
    })
  })
})
