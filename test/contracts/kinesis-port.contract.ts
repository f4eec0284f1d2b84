// What every implementation of the Kinesis port has to do, on whatever service is behind it. Where an emulator is wrong,
// the run says so by the check's id, and the check then holds that it still is.
import { expect } from 'chai'
import type { IteratorStart } from '../../src/kinesis/kinesis-port.ts'
import { findHoles } from '../../src/model/hash-key-range.ts'
import { isClosed, parentsOf } from '../../src/model/shard.ts'
import { DeviatingChecks, type Deviations } from './deviations.ts'
import { readingParts } from './kinesis-port-reading.contract.ts'
import {
  type Check,
  type Early,
  FIRST,
  type KinesisWorld,
  mergedStream,
  readAt,
  rejectsAs,
  SECOND,
  splitStream,
  THIRD,
  text,
  textsOf,
  threeRecords
} from './kinesis-world.ts'

/** How long `setup` may take. */
const SETUP_MS = 90_000

type Part = (check: Check, early: Early) => void

/** The last ones are those that wait for what was begun early. */
const PARTS: readonly Part[] = [describing, listing, starting, startingElsewhere, ...readingParts, refusing, filtering]

/** Runs the suite on one service. `setup` is asked once, before the first check. */
export function describeKinesisPort(name: string, setup: () => Promise<KinesisWorld>, deviations: Deviations): void {
  describe(`KinesisPort on ${name}`, () => {
    let world: KinesisWorld
    const checks = new DeviatingChecks(deviations)
    const beginnings: (() => void)[] = []

    before(async function () {
      // An emulator may have to be started more than once.
      this.timeout(SETUP_MS)
      world = await setup()
      for (const begin of beginnings) begin()
    })

    const check: Check = (id, title, body) => checks.check(id, title, () => body(world))

    const early: Early = prepare => {
      let prepared: ReturnType<typeof prepare> | undefined
      const begun = () => {
        prepared ??= prepare(world)
        return prepared
      }
      // The check hears of a failure.
      beginnings.push(() => void begun().catch(() => {}))
      return begun
    }
    for (const part of PARTS) part(check, early)
    checks.end()
  })
}

function describing(check: Check): void {
  check('describe', 'describes a stream', async world => {
    const name = await world.createStream(1)
    const stream = await world.port({ streamName: name }).describeStream()
    expect(stream).to.include({ streamName: name, status: 'ACTIVE' })
    expect(stream.streamArn).to.match(new RegExp(`^arn:aws:kinesis:us-east-1:\\d{12}:stream/${name}$`))
    expect(stream.creationEpoch % 1).to.equal(0)
    expect(stream.creationEpoch).to.be.closeTo(world.epochMs() / 1000, 10)
  })

  check('describe-unknown', 'says that a stream does not exist', async world => {
    await rejectsAs('not-found', world.port({ streamName: 'nothing-here' }).describeStream())
  })

  check('by-arn', 'makes every call by ARN', async world => {
    const name = await world.createStream(1)
    await world.put(name, [text('a')])
    const { streamArn } = await world.port({ streamName: name }).describeStream()
    const port = world.port({ streamArn })
    expect(port.streamName).to.equal(name)
    expect(await port.describeStream()).to.include({ streamName: name, streamArn })
    expect(await port.listShards()).to.have.length(1)
    expect(textsOf((await readAt(port, FIRST, { type: 'TRIM_HORIZON' })).records)).to.deep.equal(['a'])
  })
}

function listing(check: Check): void {
  check('list', 'lists the shards of a stream, which cover the hash space', async world => {
    const shards = await world.port({ streamName: await world.createStream(3) }).listShards()
    expect(shards.map(({ shardId }) => shardId)).to.deep.equal([FIRST, SECOND, THIRD])
    expect(findHoles(shards.flatMap(({ hashKeyRange }) => hashKeyRange ?? []))).to.deep.equal([])
    expect(shards.map(isClosed)).to.deep.equal([false, false, false])
    expect(shards.flatMap(parentsOf)).to.deep.equal([])
    for (const { startingSequenceNumber } of shards) expect(startingSequenceNumber).to.match(/^\d+$/)
  })

  check('list-pages', 'lists every shard of a stream that takes several pages', async world => {
    const shards = await world.port({ streamName: await world.createStream(120) }).listShards()
    expect(new Set(shards.map(({ shardId }) => shardId)).size).to.equal(120)
  })

  check('list-unknown', 'says that the stream to list does not exist', async world => {
    await rejectsAs('not-found', world.port({ streamName: 'nothing-here' }).listShards())
  })

  check('list-split', 'lists a split shard as closed, and its children with their parent', async world => {
    const { port } = await splitStream(world)
    const [parent, ...children] = await port.listShards()
    expect(parent && isClosed(parent)).to.equal(true)
    expect(children.map(parentsOf)).to.deep.equal([[FIRST], [FIRST]])
    expect(findHoles(children.flatMap(({ hashKeyRange }) => hashKeyRange ?? []))).to.deep.equal([])
    expect(children.map(isClosed)).to.deep.equal([false, false])
  })

  check('list-merge', 'lists merged shards as closed, and their child with both parents', async world => {
    const { port } = await mergedStream(world)
    const [first, second, child] = await port.listShards()
    expect([first, second].map(shard => shard && isClosed(shard))).to.deep.equal([true, true])
    expect(child && parentsOf(child).sort()).to.deep.equal([FIRST, SECOND])
  })
}

function filtering(check: Check, early: Early): void {
  // One stream for all three, because the waits are long: kinesis-local counts in seconds.
  const prepared = early(async world => {
    const name = await world.createStream(1)
    await world.pass(1100)
    const before = world.epochMs()
    await world.pass(1100)
    await world.split(name, FIRST)
    await world.pass(1100)
    return { port: world.port({ streamName: name }), before, after: world.epochMs() - 50 }
  })
  const filtered = async (timestampOf: (times: { before: number; after: number }) => number) => {
    const { port, ...times } = await prepared()
    const shards = await port.listShards({ filter: { type: 'AT_TIMESTAMP', timestampMs: timestampOf(times) } })
    return shards.map(({ shardId }) => shardId)
  }

  check('filter-before-split', 'lists the shards that were open before a split', async () => {
    expect(await filtered(({ before }) => before)).to.deep.equal([FIRST])
  })

  check('filter-after-split', 'lists the shards that are open after a split', async () => {
    expect(await filtered(({ after }) => after)).to.deep.equal([SECOND, THIRD])
  })

  check('filter-before-creation', 'takes a time before the stream as its beginning', async () => {
    expect(await filtered(({ before }) => before - 3_600_000)).to.deep.equal([FIRST])
  })
}

function starting(check: Check): void {
  check('start-trim-horizon', 'starts with the oldest record at TRIM_HORIZON', async world => {
    const { port } = await threeRecords(world)
    expect(textsOf((await readAt(port, FIRST, { type: 'TRIM_HORIZON' })).records)).to.deep.equal(['a', 'b', 'c'])
  })

  check('start-latest', 'starts with what comes later at LATEST', async world => {
    const { name, port } = await threeRecords(world)
    const iterator = await port.getShardIterator(FIRST, { type: 'LATEST' })
    await world.put(name, [text('d')])
    expect(textsOf((await port.getRecords(iterator, { limit: 10 })).records)).to.deep.equal(['d'])
  })

  check('start-at-sequence-number', 'starts with the record of a sequence number', async world => {
    const { port, put } = await threeRecords(world)
    const sequenceNumber = put[1]?.sequenceNumber ?? ''
    const answer = await readAt(port, FIRST, { type: 'AT_SEQUENCE_NUMBER', sequenceNumber })
    expect(textsOf(answer.records)).to.deep.equal(['b', 'c'])
  })

  check('start-after-sequence-number', 'starts after the record of a sequence number', async world => {
    const { name, port, put } = await threeRecords(world)
    const after = (index: number): IteratorStart => ({
      type: 'AFTER_SEQUENCE_NUMBER',
      sequenceNumber: put[index]?.sequenceNumber ?? ''
    })
    expect(textsOf((await readAt(port, FIRST, after(1))).records)).to.deep.equal(['c'])
    const atTip = await port.getShardIterator(FIRST, after(2))
    await world.put(name, [text('d')])
    expect(textsOf((await port.getRecords(atTip, { limit: 10 })).records)).to.deep.equal(['d'])
  })
}

function startingElsewhere(check: Check): void {
  check('start-at-shard-start', 'starts at the sequence number with which the shard starts', async world => {
    const { port } = await threeRecords(world)
    const [shard] = await port.listShards()
    const sequenceNumber = shard?.startingSequenceNumber ?? ''
    const answer = await readAt(port, FIRST, { type: 'AT_SEQUENCE_NUMBER', sequenceNumber })
    expect(textsOf(answer.records)).to.deep.equal(['a', 'b', 'c'])
  })

  check('start-at-timestamp', 'starts with the first record that arrived at a time or later', async world => {
    const { port } = await threeRecords(world)
    const { records } = await readAt(port, FIRST, { type: 'TRIM_HORIZON' })
    const timestampMs = records[1]?.arrivedAtMs ?? 0
    const answer = await readAt(port, FIRST, { type: 'AT_TIMESTAMP', timestampMs })
    expect(textsOf(answer.records)).to.deep.equal(['b', 'c'])
  })

  check('start-at-timestamp-at-tip', 'starts with what comes later at a time after the last record', async world => {
    const { name, port } = await threeRecords(world)
    // So much that a clock which is put right meanwhile makes no difference.
    await world.pass(400)
    const iterator = await port.getShardIterator(FIRST, { type: 'AT_TIMESTAMP', timestampMs: world.epochMs() - 100 })
    await world.put(name, [text('d')])
    expect(textsOf((await port.getRecords(iterator, { limit: 10 })).records)).to.deep.equal(['d'])
  })
}

function refusing(check: Check, early: Early): void {
  const created = early(async world => {
    const { name, port, put } = await threeRecords(world)
    await world.deleteStream(name)
    await world.pass(1100)
    await world.createStream(1, name)
    return { port, put }
  })

  check('refuse-future', 'refuses a time in the future', async world => {
    const { port } = await threeRecords(world)
    const start: IteratorStart = { type: 'AT_TIMESTAMP', timestampMs: world.epochMs() + 3_600_000 }
    await rejectsAs('invalid-argument', port.getShardIterator(FIRST, start))
  })

  check('refuse-number-of-other-shard', 'refuses a sequence number of another shard', async world => {
    const name = await world.createStream(2)
    const [put] = await world.put(name, [{ ...text('a'), explicitHashKey: '0' }])
    const start: IteratorStart = { type: 'AT_SEQUENCE_NUMBER', sequenceNumber: put?.sequenceNumber ?? '' }
    await rejectsAs('invalid-argument', world.port({ streamName: name }).getShardIterator(SECOND, start))
  })

  check('refuse-number-of-earlier-stream', 'refuses a sequence number of an earlier stream of its name', async () => {
    const { port, put } = await created()
    const start: IteratorStart = { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: put[0]?.sequenceNumber ?? '' }
    await rejectsAs('invalid-argument', port.getShardIterator(FIRST, start))
  })

  check('refuse-unknown-shard', 'says that a shard does not exist', async world => {
    const { port } = await threeRecords(world)
    await rejectsAs('not-found', port.getShardIterator('shardId-000000000099', { type: 'TRIM_HORIZON' }))
  })

  check('refuse-unknown-stream', 'says that the stream of a shard does not exist', async world => {
    const port = world.port({ streamName: 'nothing-here' })
    await rejectsAs('not-found', port.getShardIterator(FIRST, { type: 'TRIM_HORIZON' }))
  })

  check('refuse-garbage', 'refuses an iterator that is none', async world => {
    const { port } = await threeRecords(world)
    await rejectsAs('invalid-argument', port.getRecords('no-iterator-at-all', { limit: 10 }))
  })

  check('refuse-deleted', 'says that the stream of an iterator does not exist any more', async world => {
    const { name, port } = await threeRecords(world)
    const iterator = await port.getShardIterator(FIRST, { type: 'TRIM_HORIZON' })
    await world.deleteStream(name)
    await rejectsAs('not-found', port.getRecords(iterator, { limit: 10 }))
  })
}
