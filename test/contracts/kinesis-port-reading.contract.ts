// The part of the contract of the Kinesis port that is about GetRecords: what it delivers, how far behind it says it is,
// and how a shard ends.
import { expect } from 'chai'
import { findHoles } from '../../src/model/hash-key-range.ts'
import type { RecordsAnswer } from '../../src/model/records-answer.ts'
import { compareSequenceNumbers } from '../../src/model/sequence-number.ts'
import {
  type Check,
  FIRST,
  mergedStream,
  readAt,
  readOnToEnd,
  readToEnd,
  SECOND,
  splitStream,
  THIRD,
  text,
  textsOf,
  threeRecords
} from './kinesis-world.ts'

function reading(check: Check): void {
  check('limit', 'answers with at most `limit` records and goes on with the next iterator', async world => {
    const { port } = await threeRecords(world)
    const first = await readAt(port, FIRST, { type: 'TRIM_HORIZON' }, 2)
    expect(textsOf(first.records)).to.deep.equal(['a', 'b'])
    const second = await port.getRecords(first.nextIterator ?? '', { limit: 2 })
    expect(textsOf(second.records)).to.deep.equal(['c'])
  })

  check('read-again', 'answers the same iterator with the same records again', async world => {
    const { port } = await threeRecords(world)
    const iterator = await port.getShardIterator(FIRST, { type: 'TRIM_HORIZON' })
    const [first, second] = [
      await port.getRecords(iterator, { limit: 2 }),
      await port.getRecords(iterator, { limit: 2 })
    ]
    // Records may be lazy: what they say is compared, not what they are made of.
    const said = ({ records }: RecordsAnswer) =>
      records.map(({ sequenceNumber, partitionKey, data, arrivedAtMs }) => ({
        ...{ sequenceNumber, partitionKey, arrivedAtMs },
        text: new TextDecoder().decode(data)
      }))
    expect(said(second)).to.deep.equal(said(first))
    expect(textsOf(first.records)).to.have.length(2)
  })

  check('order', 'delivers records in the order of their sequence numbers, which is that of the puts', async world => {
    const name = await world.createStream(1)
    const put = await world.put(
      name,
      Array.from({ length: 50 }, (_, index) => text(String(index)))
    )
    const { records } = await readAt(world.port({ streamName: name }), FIRST, { type: 'TRIM_HORIZON' }, 1000)
    const numbers = records.map(({ sequenceNumber }) => sequenceNumber)
    expect(numbers).to.deep.equal(put.map(({ sequenceNumber }) => sequenceNumber))
    expect(numbers).to.deep.equal([...new Set(numbers)].sort(compareSequenceNumbers))
    expect(textsOf(records)).to.deep.equal(Array.from({ length: 50 }, (_, index) => String(index)))
  })
}

function delivering(check: Check): void {
  check('arrival', 'says when a record arrived', async world => {
    const { port } = await threeRecords(world)
    const { records } = await readAt(port, FIRST, { type: 'TRIM_HORIZON' })
    for (const { arrivedAtMs } of records) expect(arrivedAtMs).to.be.closeTo(world.epochMs(), 10_000)
  })

  check('idle', 'loses nothing to an iterator that waits at the tip', async world => {
    const { name, port } = await threeRecords(world)
    let iterator = await port.getShardIterator(FIRST, { type: 'LATEST' })
    for (let read = 0; read < 10; read++) {
      iterator = (await port.getRecords(iterator, { limit: 10 })).nextIterator ?? ''
    }
    await world.put(name, [text('d')])
    expect(textsOf((await port.getRecords(iterator, { limit: 10 })).records)).to.deep.equal(['d'])
  })

  check('sizes', 'delivers payloads of 0 bytes and of 1 MiB', async world => {
    const name = await world.createStream(1)
    // The key counts too.
    const large = new Uint8Array(1024 * 1024 - 1).fill(7)
    await world.put(name, [{ partitionKey: 'k', data: new Uint8Array(0) }])
    await world.put(name, [{ partitionKey: 'k', data: large }])
    const { records } = await readAt(world.port({ streamName: name }), FIRST, { type: 'TRIM_HORIZON' })
    expect(records.map(({ data }) => data.length)).to.deep.equal([0, large.length])
    expect(Buffer.compare(records[1]?.data ?? large.subarray(1), large)).to.equal(0)
  })

  check('keys', 'delivers partition keys as they were put', async world => {
    const keys = ['__proto__', '2', '🦭', 'ключ', 'x'.repeat(256)]
    const name = await world.createStream(1)
    await world.put(
      name,
      keys.map(partitionKey => ({ partitionKey, data: 'x' }))
    )
    const { records } = await readAt(world.port({ streamName: name }), FIRST, { type: 'TRIM_HORIZON' })
    expect(records.map(({ partitionKey }) => partitionKey)).to.deep.equal(keys)
  })
}

function catchingUp(check: Check): void {
  check('behind-at-tip', 'is 0 ms behind at the tip', async world => {
    const { port } = await threeRecords(world)
    expect((await readAt(port, FIRST, { type: 'TRIM_HORIZON' })).millisBehindLatest).to.equal(0)
    expect((await readAt(port, FIRST, { type: 'LATEST' })).millisBehindLatest).to.equal(0)
  })

  check('behind', 'says how far an answer is behind the tip', async world => {
    const name = await world.createStream(1)
    await world.put(name, [text('a')])
    await world.pass(400)
    await world.put(name, [text('b')])
    const answer = await readAt(world.port({ streamName: name }), FIRST, { type: 'TRIM_HORIZON' }, 1)
    expect(answer.millisBehindLatest).to.be.within(350, 10_000)
  })
}

function ending(check: Check): void {
  check('end', 'has no next iterator once a closed shard has been read', async world => {
    const { port } = await splitStream(world)
    const { records } = await readToEnd(world, port, { type: 'TRIM_HORIZON' })
    expect(textsOf(records)).to.deep.equal(['a'])
  })

  check('end-after-last', 'ends after the last record and at LATEST of a closed shard', async world => {
    const { port, put } = await splitStream(world)
    const sequenceNumber = put[0]?.sequenceNumber ?? ''
    const after = await readToEnd(world, port, { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber })
    expect(after.records).to.deep.equal([])
    expect((await readToEnd(world, port, { type: 'LATEST' })).records).to.deep.equal([])
  })

  check('end-waiting', 'ends an iterator that waited at the tip when the shard closed', async world => {
    const name = await world.createStream(1)
    const port = world.port({ streamName: name })
    const iterator = await port.getShardIterator(FIRST, { type: 'LATEST' })
    await world.split(name, FIRST)
    expect((await readOnToEnd(world, port, iterator)).records).to.deep.equal([])
  })

  check('end-split-children', 'names both children at the end of a split shard', async world => {
    const { port } = await splitStream(world)
    const { childShards = [] } = await readToEnd(world, port, { type: 'TRIM_HORIZON' })
    expect(childShards.map(({ shardId }) => shardId)).to.deep.equal([SECOND, THIRD])
    expect(childShards.map(({ parentShardIds }) => parentShardIds)).to.deep.equal([[FIRST], [FIRST]])
    expect(findHoles(childShards.flatMap(({ hashKeyRange }) => hashKeyRange ?? []))).to.deep.equal([])
  })

  check('end-merge-children', 'names the child with both parents at the end of a merged shard', async world => {
    const { port } = await mergedStream(world)
    const { childShards = [] } = await readToEnd(world, port, { type: 'TRIM_HORIZON' })
    expect(childShards.map(({ shardId }) => shardId)).to.deep.equal([THIRD])
    expect([...(childShards[0]?.parentShardIds ?? [])].sort()).to.deep.equal([FIRST, SECOND])
  })
}

function aborting(check: Check): void {
  check('abort', 'rejects with the reason of a signal that has aborted', async world => {
    const { port } = await threeRecords(world)
    const reason = new Error('enough')
    const failure = await port.listShards({ signal: AbortSignal.abort(reason) }).catch((error: unknown) => error)
    expect(failure).to.equal(reason)
  })
}

/** The parts of the contract that are about reading. */
export const readingParts = [reading, delivering, catchingUp, ending, aborting]
