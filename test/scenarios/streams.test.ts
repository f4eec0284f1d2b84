// Many streams in one worker and one lease table, in virtual time: all of them are read, they come and go while the worker runs,
// and one that fails keeps none of the others from being read.
import { expect } from 'chai'
import { RecordProcessor, TableMismatchError } from '../../src/index.ts'
import { newLease } from '../../src/model/lease.ts'
import { StreamsWorld } from '../support/streams-world.ts'

const named = (count: number): string[] => Array.from({ length: count }, (_, n) => `s${n + 1}`)
const entries = (names: readonly string[]) => names.map(streamName => ({ streamName }))

describe('many streams', () => {
  let world: StreamsWorld

  beforeEach(() => {
    world = new StreamsWorld()
  })

  afterEach(() => world.stop())

  it('reads 20 streams of 4 shards with one worker, each record once', async () => {
    const names = named(20)
    for (const name of names) world.kinesis.createStream(name, 4)
    const put = names.map(name => [name, world.put(name, 10)] as const)
    const worker = await world.start({ streams: entries(names) })
    await world.clock.advance(30_000)
    for (const [name, texts] of put) expect(world.textsOf(name), name).to.deep.equal(texts)
    expect(await world.rowsByStream()).to.deep.equal(Object.fromEntries(names.map(name => [name, 4])))
    expect(worker.health()).to.have.property('color', 'green')
    expect(worker.health().shards).to.have.lengthOf(80)
    expect(worker.health().streams).to.have.lengthOf(20)
    expect(world.told.filter(line => line.includes('stream:added'))).to.have.lengthOf(20)
  })

  it('lists the table once for all streams when it compares them with their shards', async () => {
    const names = named(20)
    for (const name of names) world.kinesis.createStream(name, 1)
    await world.start({ streams: entries(names), shardSyncIntervalMs: 20_000 })
    await world.clock.advance(60_000)
    world.listings = 0
    world.calls.length = 0
    await world.clock.advance(100_000)
    const listed = world.calls.filter(({ name }) => name === 'listShards').length
    const rounds = listed / 20
    expect(rounds).to.be.within(4, 6)
    // The leader looks at all leases as well, every few minutes.
    expect(world.listings).to.be.within(rounds, rounds + 5)
    const looks = world.calls.filter(({ name }) => name === 'describeStream')
    expect(looks.length).to.be.at.most(listed)
  })

  it('writes the keys, and names the children, as KCL does', async () => {
    world.kinesis.createStream('orders', 1)
    const worker = await world.start({ streams: entries(['orders']) })
    await world.clock.advance(5_000)
    world.kinesis.split('orders', 'shardId-000000000000')
    const texts = world.put('orders', 10)
    await world.clock.advance(60_000)
    expect(world.textsOf('orders')).to.deep.equal(texts)
    const { leases } = await world.table.list()
    const parent = leases.find(({ shardId }) => shardId.endsWith('0'))
    const streamId = leases[0]?.streamId
    expect(streamId).to.match(/^\d{12}:orders:\d+$/)
    for (const { leaseKey, shardId } of leases) expect(leaseKey).to.equal(`${streamId}:${shardId}`)
    const children = leases.filter(lease => lease !== parent)
    expect(children.map(({ shardId }) => shardId)).to.have.lengthOf(2)
    for (const { parentShardIds } of children) expect(parentShardIds).to.deep.equal(['shardId-000000000000'])
    expect(worker.shardIds).to.have.members(children.map(({ shardId }) => shardId))
  })

  it('tells shards of different streams apart that have the same id', async () => {
    for (const name of ['a', 'b']) world.kinesis.createStream(name, 1)
    const started: string[] = []
    const worker = world.make({ streams: entries(['a', 'b']) })
    worker.on('shard:started', ({ streamName, shardId }) => started.push(`${streamName} ${shardId}`))
    await world.over(worker.start())
    await world.clock.advance(5_000)
    expect(started.sort()).to.deep.equal(['a shardId-000000000000', 'b shardId-000000000000'])
    worker.pause('shardId-000000000000', 'a')
    const [a, b] = [world.put('a', 1), world.put('b', 1)]
    await world.clock.advance(5_000)
    expect([world.textsOf('a'), world.textsOf('b')]).to.deep.equal([[], b])
    expect(
      worker
        .health()
        .shards.map(({ streamName, paused }) => `${streamName} ${paused}`)
        .sort()
    ).to.deep.equal(['a true', 'b false'])
    worker.resume('shardId-000000000000', 'a')
    await world.clock.advance(5_000)
    expect(world.textsOf('a')).to.deep.equal(a)
  })

  it('keeps the leases of a removed stream that had code of its own, and goes on once it is in the list again', async () => {
    for (const name of ['a', 'b']) world.kinesis.createStream(name, 2)
    const own = (names: readonly string[]) => names.map(streamName => ({ streamName, handler: world.handler }))
    const first = await world.start({ handler: undefined, streams: own(['a', 'b']) })
    const before = world.put('b', 4)
    await world.clock.advance(10_000)
    await world.over(first.stop())
    let names = ['a']
    const second = await world.start({ handler: undefined, streams: { list: () => own(names), everyMs: 10_000 } })
    const [a, later] = [world.put('a', 4), world.put('b', 4)]
    await world.clock.advance(120_000)
    expect([second.state, second.health().color]).to.deep.equal(['running', 'green'])
    expect([world.textsOf('a'), world.textsOf('b')]).to.deep.equal([a, before])
    expect(await world.rowsByStream()).to.deep.equal({ a: 2, b: 2 })
    names = ['a', 'b']
    await world.clock.advance(60_000)
    expect(world.textsOf('b')).to.deep.equal([...before, ...later])
  })

  it('has a worker that is not told yet what to process a stream with leave it to others', async () => {
    for (const name of ['a', 'b']) world.kinesis.createStream(name, 4)
    const own = (names: readonly string[]) => names.map(streamName => ({ streamName, handler: world.handler }))
    const first = await world.start({ handler: undefined, streams: own(['a', 'b']) })
    let names = ['a']
    const second = await world.start({ handler: undefined, streams: { list: () => own(names), everyMs: 10_000 } })
    await world.clock.advance(60_000)
    const b = world.put('b', 20)
    await world.clock.advance(120_000)
    expect([first.state, second.state]).to.deep.equal(['running', 'running'])
    expect(world.textsOf('b')).to.deep.equal(b)
    names = ['a', 'b']
    await world.clock.advance(60_000)
    await world.over(first.stop())
    const more = world.put('b', 20)
    await world.clock.advance(60_000)
    expect(world.textsOf('b'), 'is read by who has been told').to.deep.equal([...b, ...more])
  })

  it('begins each stream where it says, with the code that it says', async () => {
    for (const name of ['old', 'new', 'own']) world.kinesis.createStream(name, 1)
    const old = world.put('old', 2)
    world.put('new', 2)
    const own = world.put('own', 2)
    const told: string[] = []
    class Own extends RecordProcessor {
      readonly #name: string

      constructor(name: string) {
        super()
        this.#name = name
      }

      override async processRecords({
        records,
        streamName,
        streamArn,
        checkpointer
      }: Parameters<RecordProcessor['processRecords']>[0]) {
        for (const record of records)
          told.push(`${this.#name} ${streamName} ${streamArn.split('/')[1]} ${record.text()}`)
        await checkpointer.checkpoint()
      }
    }
    await world.start({
      streams: [
        { streamName: 'old' },
        { streamName: 'new', startAt: 'LATEST' },
        { streamName: 'own', processor: ({ streamName }: { streamName: string }) => new Own(streamName) }
      ]
    })
    const later = world.put('new', 1)
    await world.clock.advance(10_000)
    expect([world.textsOf('old'), world.textsOf('new')]).to.deep.equal([old, later])
    expect(told).to.deep.equal(own.map(text => `own own own ${text}`))
  })

  it('reads a stream that is added, and with keep goes on with one that is removed', async () => {
    for (const name of ['a', 'b']) world.kinesis.createStream(name, 1)
    let names = ['a']
    const worker = await world.start({ streams: { list: () => entries(names), everyMs: 10_000 } })
    await world.clock.advance(5_000)
    names = ['b']
    await world.clock.advance(30_000)
    expect(world.told.filter(line => !line.includes('added a'))).to.deep.equal([
      'w1 stream:removed a',
      'w1 stream:added b'
    ])
    const [a, b] = [world.put('a', 3), world.put('b', 3)]
    await world.clock.advance(10_000)
    expect([world.textsOf('a'), world.textsOf('b')]).to.deep.equal([a, b])
    expect(worker.health().streams?.map(({ streamName }) => streamName)).to.deep.equal(['b'])
    // Its shards are read on, also across a split.
    world.kinesis.split('a', 'shardId-000000000000')
    const more = world.put('a', 4)
    await world.clock.advance(120_000)
    expect(world.textsOf('a')).to.deep.equal([...a, ...more])
  })

  it('forgets a removed stream once its time is over: its shards are given back, then its leases deleted', async () => {
    for (const name of ['a', 'b']) world.kinesis.createStream(name, 2)
    let names = ['a', 'b']
    const list = { list: () => entries(names), everyMs: 10_000, whenRemoved: { forgetAfterMs: 300_000 } }
    const worker = world.make({ streams: list, shardSyncIntervalMs: 20_000 })
    const lost: string[] = []
    worker
      .on('lease:lost', ({ leaseKey }) => lost.push(leaseKey))
      .on('lease:released', ({ streamName, shardId }) => lost.push(`released ${streamName} ${shardId}`))
    await world.over(worker.start())
    await world.clock.advance(10_000)
    names = ['a']
    await world.clock.advance(250_000)
    expect(await world.rowsByStream()).to.deep.equal({ a: 2, b: 2 })
    const b = world.put('b', 2)
    await world.clock.advance(5_000)
    expect(world.textsOf('b'), 'is read until then').to.deep.equal(b)
    await world.clock.advance(200_000)
    expect(await world.rowsByStream()).to.deep.equal({ a: 2 })
    expect(world.told.filter(line => line.includes('forgotten'))).to.deep.equal(['w1 stream:forgotten b removed 2'])
    expect(lost.sort()).to.deep.equal(['released b shardId-000000000000', 'released b shardId-000000000001'])
    expect(worker.health().shards.map(({ streamName }) => streamName)).to.deep.equal(['a', 'a'])
    const a = world.put('a', 2)
    await world.clock.advance(10_000)
    expect(world.textsOf('a')).to.deep.equal(a)
  })

  it('keeps a stream that comes back before its time is over', async () => {
    for (const name of ['a', 'b']) world.kinesis.createStream(name, 1)
    let names = ['a', 'b']
    const list = { list: () => entries(names), everyMs: 10_000, whenRemoved: { forgetAfterMs: 300_000 } }
    await world.start({ streams: list, shardSyncIntervalMs: 20_000 })
    await world.clock.advance(10_000)
    names = ['a']
    await world.clock.advance(250_000)
    names = ['a', 'b']
    await world.clock.advance(100_000)
    names = ['a']
    await world.clock.advance(250_000)
    expect(await world.rowsByStream(), 'the time begins anew').to.deep.equal({ a: 1, b: 1 })
    const b = world.put('b', 2)
    await world.clock.advance(5_000)
    expect(world.textsOf('b')).to.deep.equal(b)
  })

  it('forgets only the streams that may be, where that is said', async () => {
    for (const name of ['a', 'b', 'c']) world.kinesis.createStream(name, 1)
    let names = ['a', 'b', 'c']
    const whenRemoved = { forgetAfterMs: 0, only: () => ['b'] }
    await world.start({
      streams: { list: () => entries(names), everyMs: 10_000, whenRemoved },
      shardSyncIntervalMs: 20_000
    })
    await world.clock.advance(10_000)
    names = ['a']
    await world.clock.advance(300_000)
    expect(await world.rowsByStream()).to.deep.equal({ a: 1, c: 1 })
  })

  it('deletes nothing on a guess: where the list of those that may be forgotten cannot be had, all are kept', async () => {
    for (const name of ['a', 'b']) world.kinesis.createStream(name, 1)
    let names = ['a', 'b']
    const only = (): string[] => {
      throw new Error('no answer')
    }
    const list = { list: () => entries(names), everyMs: 10_000, whenRemoved: { forgetAfterMs: 0, only } }
    await world.start({ streams: list, shardSyncIntervalMs: 20_000 })
    await world.clock.advance(10_000)
    names = ['a']
    await world.clock.advance(120_000)
    expect(await world.rowsByStream()).to.deep.equal({ a: 1, b: 1 })
    expect(world.told.some(line => line.includes('no answer'))).to.equal(true)
  })

  it('keeps the list as it is while it cannot be had', async () => {
    world.kinesis.createStream('a', 1)
    let isBroken = false
    const list = (): object[] => {
      if (isBroken) throw new Error('no list')
      return entries(['a'])
    }
    const worker = await world.start({ streams: { list, everyMs: 10_000, whenRemoved: { forgetAfterMs: 0 } } })
    isBroken = true
    await world.clock.advance(60_000)
    expect(worker.health().streams?.map(({ streamName }) => streamName)).to.deep.equal(['a'])
    expect(world.told.some(line => line.includes('no list'))).to.equal(true)
    expect(worker.state).to.equal('running')
  })

  it('has a new leader learn from the table which streams are there no more', async () => {
    for (const name of ['a', 'b']) world.kinesis.createStream(name, 1)
    const whenRemoved = { forgetAfterMs: 100_000 }
    const first = await world.start({ streams: entries(['a', 'b']), shardSyncIntervalMs: 20_000 })
    await world.clock.advance(10_000)
    await world.over(first.stop())
    const list = { list: entries(['a']), everyMs: 10_000, whenRemoved }
    await world.start({ streams: list, shardSyncIntervalMs: 20_000 })
    const b = world.put('b', 2)
    await world.clock.advance(50_000)
    expect(world.textsOf('b'), 'is read although it was never in the list here').to.deep.equal(b)
    await world.clock.advance(200_000)
    expect(await world.rowsByStream()).to.deep.equal({ a: 1 })
  })

  it('reads the others while one is missing, tells of it, and reads it once it is there', async () => {
    world.kinesis.createStream('a', 1)
    const a = world.put('a', 2)
    const worker = await world.start({ streams: { list: entries(['a', 'late']), everyMs: 10_000 } })
    await world.clock.advance(10_000)
    expect(world.textsOf('a')).to.deep.equal(a)
    expect(world.told).to.include('w1 stream:failed late find')
    const { color, streams = [] } = worker.health()
    expect(color).to.equal('red')
    expect(streams.map(({ streamName, color }) => `${streamName} ${color}`)).to.deep.equal(['a green', 'late red'])
    expect(streams[1]?.reason).to.include('does not exist')
    world.kinesis.createStream('late', 1)
    const late = world.put('late', 2)
    await world.clock.advance(90_000)
    expect(world.textsOf('late')).to.deep.equal(late)
    expect(worker.health().color).to.equal('green')
    expect(world.told).to.include('w1 stream:added late')
  })

  it('does not start if none of its streams is there', async () => {
    const error = await world.start({ streams: entries(['x', 'y']) }).then(
      () => undefined,
      (failure: unknown) => failure
    )
    expect(error).to.have.property('message').that.includes('does not exist')
  })

  it('keeps the leases of a stream that was deleted and is in the list, and forgets them once it is not', async () => {
    for (const name of ['a', 'b']) world.kinesis.createStream(name, 1)
    let names = ['a', 'b']
    const worker = await world.start({
      streams: { list: () => entries(names), everyMs: 10_000 },
      shardSyncIntervalMs: 20_000
    })
    await world.clock.advance(10_000)
    world.kinesis.deleteStream('b')
    await world.clock.advance(100_000)
    expect(await world.rowsByStream()).to.deep.equal({ a: 1, b: 1 })
    expect(worker.health().streams?.find(({ streamName }) => streamName === 'b')?.color).to.equal('red')
    names = ['a']
    await world.clock.advance(200_000)
    expect(await world.rowsByStream()).to.deep.equal({ a: 1 })
    expect(world.told).to.include('w1 stream:forgotten b gone 1')
  })

  it('takes a stream that was created again for another one, and forgets the earlier one', async () => {
    for (const name of ['a', 'b']) world.kinesis.createStream(name, 1)
    await world.start({ streams: { list: entries(['a', 'b']), everyMs: 10_000 }, shardSyncIntervalMs: 20_000 })
    world.put('b', 2)
    await world.clock.advance(10_000)
    const before = await world.rows()
    world.kinesis.deleteStream('b')
    await world.clock.advance(2_000)
    world.kinesis.createStream('b', 1)
    const b = world.put('b', 3)
    await world.clock.advance(300_000)
    expect(world.textsOf('b').slice(2)).to.deep.equal(b)
    const after = await world.rows()
    expect(after).to.have.lengthOf(2)
    expect(after.filter(key => before.includes(key))).to.have.lengthOf(1)
  })

  it('tells two streams of one name apart of which it finds leases before it finds the stream', async () => {
    for (const name of ['a', 'b']) world.kinesis.createStream(name, 1)
    const epochOf = async (): Promise<number> =>
      (await world.over(world.kinesis.port('b').describeStream())).creationEpoch
    const earlier = await epochOf()
    world.kinesis.deleteStream('b')
    await world.clock.advance(5_000)
    world.kinesis.createStream('b', 1)
    for (const epoch of [earlier, await epochOf()]) {
      const checkpoint = { sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 }
      const lease = newLease({ shardId: 'shardId-000000000000', streamId: `000000000000:b:${epoch}`, checkpoint })
      await world.table.create(lease)
    }
    const failing = world.fail('b', 'describeStream')
    await world.start({ streams: { list: entries(['a', 'b']), everyMs: 10_000 }, shardSyncIntervalMs: 20_000 })
    await world.clock.advance(60_000)
    failing.end('describeStream')
    await world.clock.advance(120_000)
    expect(world.told.filter(line => /added|removed/.test(line))).to.deep.equal([
      'w1 stream:added a',
      'w1 stream:added b'
    ])
    expect(await world.rowsByStream(), 'those of the earlier one are forgotten').to.deep.equal({ a: 1, b: 1 })
    world.kinesis.split('b', 'shardId-000000000000')
    const texts = world.put('b', 10)
    await world.clock.advance(60_000)
    expect(world.textsOf('b')).to.deep.equal(texts)
  })

  it('reads on what it has leases of, also if that leaves the list before it was found', async () => {
    for (const name of ['a', 'b']) world.kinesis.createStream(name, 1)
    const retrieval = { mode: 'fan-out', fallback: 'none' }
    const first = await world.start({ streams: entries(['a', 'b']), retrieval })
    await world.clock.advance(10_000)
    await world.over(first.stop())
    const failing = world.fail('b', 'describeStream', 'describeConsumer')
    let names = ['a', 'b']
    await world.start({ streams: { list: () => entries(names), everyMs: 10_000 }, retrieval })
    const b = world.put('b', 2)
    await world.clock.advance(20_000)
    names = ['a']
    await world.clock.advance(15_000)
    failing.end('describeConsumer')
    await world.clock.advance(60_000)
    expect(world.textsOf('b')).to.deep.equal(b)
  })

  it('shares the shards of all streams among workers, and goes on when one stops', async () => {
    const names = named(5)
    for (const name of names) world.kinesis.createStream(name, 4)
    const options = { streams: entries(names) }
    const [first, second] = [await world.start(options), await world.start(options)]
    await world.clock.advance(60_000)
    expect([first.shardIds.length, second.shardIds.length]).to.deep.equal([10, 10])
    const put = names.map(name => [name, world.put(name, 8)] as const)
    await world.over(first.stop())
    await world.clock.advance(30_000)
    for (const [name, texts] of put) expect(world.textsOf(name), name).to.deep.equal(texts)
    expect(second.shardIds).to.have.lengthOf(20)
  })

  it('subscribes to each stream by the consumer that is said for it', async () => {
    for (const name of ['a', 'b']) world.kinesis.createStream(name, 1)
    const streams = [{ streamName: 'a' }, { streamName: 'b', retrieval: { consumerName: 'special' } }]
    await world.start({ streams, retrieval: { mode: 'fan-out' } })
    const [a, b] = [world.put('a', 2), world.put('b', 2)]
    await world.clock.advance(30_000)
    expect([world.textsOf('a'), world.textsOf('b')]).to.deep.equal([a, b])
    const described = (name: string, consumerName: string) =>
      world.over(world.kinesis.fanOut(name).describeConsumer({ consumerName })).then(({ status }) => status)
    expect([await described('a', 'app'), await described('b', 'special')]).to.deep.equal(['ACTIVE', 'ACTIVE'])
  })

  it('goes on where KCL for Java has left off, which says nothing of ARNs', async () => {
    for (const name of ['a', 'b']) world.kinesis.createStream(name, 1)
    const texts = world.put('a', 4)
    const { creationEpoch } = await world.over(world.kinesis.port('a').describeStream())
    const [, second] = world.kinesis.records('a', 'shardId-000000000000')
    const left = newLease({
      shardId: 'shardId-000000000000',
      streamId: `000000000000:a:${creationEpoch}`,
      checkpoint: { sequenceNumber: second?.sequenceNumber ?? '', subSequenceNumber: 0 }
    })
    await world.table.create(left)
    const b = world.put('b', 2)
    await world.start({ streams: entries(['a', 'b']) })
    await world.clock.advance(20_000)
    expect([world.textsOf('a'), world.textsOf('b')]).to.deep.equal([texts.slice(2), b])
    expect(await world.rowsByStream()).to.deep.equal({ a: 1, b: 1 })
  })

  it('forgets no stream of which it can only guess the region', async () => {
    world.kinesis.createStream('a', 1)
    const checkpoint = { sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 }
    const lease = newLease({ shardId: 'shardId-000000000000', streamId: '000000000000:b:5', checkpoint })
    await world.table.create(lease)
    let names: string[] = []
    await world.start({ streams: { list: () => entries(names), everyMs: 10_000 }, shardSyncIntervalMs: 20_000 })
    await world.clock.advance(120_000)
    expect(await world.rowsByStream()).to.deep.equal({ b: 1 })
    names = ['a']
    await world.clock.advance(120_000)
    expect(await world.rowsByStream(), 'which is known now').to.deep.equal({ a: 1 })
  })

  for (const [what, before, after, problem] of [
    ['one stream', { streamName: 'a' }, { streams: entries(['a']) }, 'an application of one stream'],
    ['several streams', { streams: entries(['a']) }, { streamName: 'a' }, 'an application of several streams']
  ] as const) {
    it(`refuses the table of an application of ${what} where it is not one`, async () => {
      world.kinesis.createStream('a', 1)
      const first = await world.start(before)
      await world.clock.advance(5_000)
      await world.over(first.stop())
      const error = await world.start(after).then(
        () => undefined,
        (failure: unknown) => failure
      )
      expect(error).to.be.instanceOf(TableMismatchError).with.property('message').that.includes(problem)
    })
  }
})
