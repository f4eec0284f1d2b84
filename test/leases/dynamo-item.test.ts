import { expect } from 'chai'
import type { Item } from '../../src/dynamo/dynamo-expression.ts'
import { creationOf, deletionOf, parseItem, replacementOf, toItem } from '../../src/leases/dynamo-item.ts'
import type { SkippedRow } from '../../src/leases/lease-store.ts'
import { BugError } from '../../src/model/errors.ts'
import { MAX_HASH_KEY } from '../../src/model/hash-key-range.ts'
import { checkpointed, claimed, type Lease, newLease, prepared, released, renewed } from '../../src/model/lease.ts'
import { TRIM_HORIZON } from '../../src/model/sequence-number.ts'

const KEY = 'shardId-000000000000'
const SEQUENCE_NUMBER = '49590338271490256608559692538361571095921575989136588898'
const bare = newLease({ shardId: KEY, checkpoint: TRIM_HORIZON })
const bareItem: Item = toItem(bare)

const full: Lease = {
  leaseKey: KEY,
  shardId: KEY,
  owner: 'worker-1/1',
  counter: 42,
  checkpoint: { sequenceNumber: SEQUENCE_NUMBER, subSequenceNumber: 7 },
  pendingCheckpoint: {
    position: { sequenceNumber: SEQUENCE_NUMBER, subSequenceNumber: 9 },
    state: new Uint8Array([1, 2])
  },
  ownerSwitchesSinceCheckpoint: 3,
  parentShardIds: ['shardId-000000000001', 'shardId-000000000002'],
  childShardIds: ['shardId-000000000003'],
  hashKeyRange: { start: 0n, end: MAX_HASH_KEY },
  checkpointOwner: 'worker-2/1',
  stream: { streamArn: 'arn:aws:kinesis:us-east-1:123456789012:stream/orders', creationEpoch: 1_700_000_000 },
  startTimestampMs: 1_700_000_000_123,
  beganAtMs: 1_600_000_000_000
}

/** The row that a parsed item is skipped as; fails the test for a lease. */
function skipped(item: Readonly<Record<string, unknown>>): SkippedRow {
  const parsed = parseItem(item)
  if (parsed.kind === 'lease') throw new Error(`Expected a skipped row, got the lease ${parsed.lease.leaseKey}`)
  return parsed.row
}

describe('toItem', () => {
  it('writes the attributes and types of KCL, and ours under names of their own', () => {
    expect(toItem(full)).to.deep.equal({
      leaseKey: KEY,
      entityType: 'LEASE',
      leaseOwner: 'worker-1/1',
      leaseCounter: 42,
      checkpoint: SEQUENCE_NUMBER,
      checkpointSubSequenceNumber: 7,
      pendingCheckpoint: SEQUENCE_NUMBER,
      pendingCheckpointSubSequenceNumber: 9,
      pendingCheckpointState: new Uint8Array([1, 2]),
      ownerSwitchesSinceCheckpoint: 3,
      parentShardId: new Set(['shardId-000000000001', 'shardId-000000000002']),
      childShardIds: new Set(['shardId-000000000003']),
      startingHashKey: '0',
      endingHashKey: '340282366920938463463374607431768211455',
      checkpointOwner: 'worker-2/1',
      millraceStreamArn: 'arn:aws:kinesis:us-east-1:123456789012:stream/orders',
      millraceStreamEpoch: 1_700_000_000,
      millraceStartTimestamp: 1_700_000_000_123,
      millraceBeganAt: 1_600_000_000_000
    })
  })

  it('leaves out what is not there, and never writes an empty set', () => {
    expect(toItem(bare)).to.deep.equal({
      leaseKey: KEY,
      entityType: 'LEASE',
      leaseCounter: 0,
      checkpoint: 'TRIM_HORIZON',
      checkpointSubSequenceNumber: 0,
      ownerSwitchesSinceCheckpoint: 0
    })
  })

  it('leaves out a hash range of a single key, which KCL cannot read', () => {
    const item = toItem({ ...bare, hashKeyRange: { start: 5n, end: 5n } })
    expect(item).to.deep.equal(bareItem)
  })
})

describe('parseItem', () => {
  it('reads back what toItem wrote', () => {
    for (const lease of [bare, full]) expect(parseItem(toItem(lease))).to.deep.equal({ kind: 'lease', lease })
  })

  it('reads a lease of KCL 2.x', () => {
    const item = {
      leaseKey: KEY,
      leaseOwner: '10.0.0.1:7f1c5bd0-7c3e-4ed1-8f0d-1f0e3f3a2b11',
      leaseCounter: 1318,
      ownerSwitchesSinceCheckpoint: 0,
      checkpoint: SEQUENCE_NUMBER,
      checkpointSubSequenceNumber: 0,
      startingHashKey: '170141183460469231731687303715884105728',
      endingHashKey: '340282366920938463463374607431768211455',
      parentShardId: new Set(['shardId-000000000004'])
    }
    expect(parseItem(item)).to.deep.equal({
      kind: 'lease',
      lease: {
        leaseKey: KEY,
        shardId: KEY,
        owner: '10.0.0.1:7f1c5bd0-7c3e-4ed1-8f0d-1f0e3f3a2b11',
        counter: 1318,
        ownerSwitchesSinceCheckpoint: 0,
        checkpoint: { sequenceNumber: SEQUENCE_NUMBER, subSequenceNumber: 0 },
        hashKeyRange: { start: 2n ** 127n, end: MAX_HASH_KEY },
        parentShardIds: ['shardId-000000000004'],
        childShardIds: []
      }
    })
  })

  it('reads a lease of KCL 3.x that is being handed over', () => {
    const item = {
      leaseKey: KEY,
      entityType: 'LEASE',
      leaseOwner: 'next',
      checkpointOwner: 'previous',
      leaseCounter: 7,
      throughputKBps: 12.482913,
      ownerSwitchesSinceCheckpoint: 1,
      checkpoint: 'SHARD_END',
      checkpointSubSequenceNumber: 0,
      childShardIds: new Set(['shardId-000000000009', 'shardId-000000000008']),
      startingHashKey: '0',
      endingHashKey: '340282366920938463463374607431768211455'
    }
    expect(parseItem(item)).to.deep.equal({
      kind: 'lease',
      lease: {
        leaseKey: KEY,
        shardId: KEY,
        owner: 'next',
        checkpointOwner: 'previous',
        throughputKBps: 12.482913,
        counter: 7,
        ownerSwitchesSinceCheckpoint: 1,
        checkpoint: { sequenceNumber: 'SHARD_END', subSequenceNumber: 0 },
        hashKeyRange: { start: 0n, end: MAX_HASH_KEY },
        parentShardIds: [],
        childShardIds: ['shardId-000000000008', 'shardId-000000000009']
      }
    })
  })

  it('does without everything but key, counter and checkpoint', () => {
    const item = { leaseKey: KEY, leaseCounter: 0, checkpoint: 'TRIM_HORIZON' }
    expect(parseItem(item)).to.deep.equal({ kind: 'lease', lease: bare })
  })

  it('ignores what an earlier version of this library wrote into it', () => {
    expect(parseItem({ ...bareItem, millraceWantedBy: 'worker-3/1' })).to.deep.equal({ kind: 'lease', lease: bare })
  })

  it('takes half a hash range, or the place of a pending checkpoint without one, for none', () => {
    const item = { ...bareItem, startingHashKey: '0', pendingCheckpointSubSequenceNumber: 3 }
    expect(parseItem(item)).to.deep.equal({ kind: 'lease', lease: bare })
  })

  it('reads own attributes only, whatever they are called', () => {
    const named = JSON.parse(`{ "__proto__": { "leaseOwner": "nobody" }, "constructor": "x" }`)
    expect(parseItem({ ...bareItem, ...named })).to.deep.equal({ kind: 'lease', lease: bare })
    const inherited = Object.assign(Object.create({ leaseOwner: 'nobody' }), bareItem)
    expect(parseItem(inherited)).to.deep.equal({ kind: 'lease', lease: bare })
    expect(parseItem(Object.assign(Object.create(null), bareItem))).to.deep.equal({ kind: 'lease', lease: bare })
  })

  it('hands out bytes that do not share memory with the item', () => {
    const bytes = Buffer.from([1, 2])
    const parsed = parseItem({ ...toItem(full), pendingCheckpointState: bytes })
    bytes.fill(0)
    expect(parsed).to.deep.equal({ kind: 'lease', lease: full })
  })
})

describe('parseItem, on a row of another kind', () => {
  const rows: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
    'the leader lock': {
      leaseKey: 'Leader',
      entityType: 'LEADER',
      ownerName: 'worker-1',
      leaseDuration: '120000',
      recordVersionNumber: '0d8e5f0e-5c3f-4a7c-9f43-6a1e1d2c3b4a'
    },
    'the leader lock without a type': { leaseKey: 'Leader', ownerName: 'worker-1' },
    'the client version': { leaseKey: 'Migration3.0', cv: 'CLIENT_VERSION_3X', mts: 1 },
    'the table migration': { leaseKey: 'TableMigration3.5', tm: 'TABLE_MIGRATION_STATUS_COMPLETE' },
    'the metrics of a worker': {
      leaseKey: 'worker-1',
      entityType: 'WORKER_METRIC_STATS',
      lut: 1_700_000_000,
      sts: { C: [12.5] }
    },
    'metrics without a type': { leaseKey: 'worker-1', lut: 1_700_000_000, sup: 1 },
    'a stream': { leaseKey: '123456789012:orders:1', entityType: 'STREAM', streamId: 'orders' },
    'a type of the future': { ...bareItem, entityType: 'SOMETHING_NEW' }
  }
  for (const [name, item] of Object.entries(rows)) {
    it(`skips ${name}`, () => {
      const row = skipped(item)
      expect(row.because).to.equal('another-kind')
      expect(row.key).to.equal(item.leaseKey)
      expect(row.problem).to.not.equal('')
    })
  }
})

describe('parseItem, on a broken row', () => {
  const { leaseCounter: _, ...withoutCounter } = bareItem
  const { checkpoint: __, ...withoutCheckpoint } = bareItem
  const rows: readonly [string, Readonly<Record<string, unknown>>, string][] = [
    ['without a counter', withoutCounter, 'leaseCounter is missing'],
    ['without a checkpoint', withoutCheckpoint, 'checkpoint is missing'],
    ['with a counter of text', { ...bareItem, leaseCounter: '5' }, 'leaseCounter is the string "5"'],
    ['with a counter below zero', { ...bareItem, leaseCounter: -1 }, 'leaseCounter is the number -1'],
    ['with a fraction for a counter', { ...bareItem, leaseCounter: 1.5 }, 'leaseCounter is the number 1.5'],
    [
      'with a counter too large',
      { ...bareItem, leaseCounter: 9_007_199_254_740_992 },
      'leaseCounter is the number 9007'
    ],
    [
      'with an unknown word for a checkpoint',
      { ...bareItem, checkpoint: 'NOWHERE' },
      'checkpoint is the string "NOWHE'
    ],
    ['with a negative checkpoint', { ...bareItem, checkpoint: '-1' }, 'checkpoint is the string "-1"'],
    ['with a number for a checkpoint', { ...bareItem, checkpoint: 1 }, 'checkpoint is the number 1'],
    ['with a null for a checkpoint', { ...bareItem, checkpoint: null }, 'checkpoint is of type Null'],
    ['with the sub-sequence number of nothing', { ...bareItem, checkpointSubSequenceNumber: -2 }, 'number -2'],
    ['with an empty owner', { ...bareItem, leaseOwner: '' }, 'leaseOwner is the string ""'],
    ['with a text for parents', { ...bareItem, parentShardId: 'shardId-1' }, 'parentShardId is the string "shardId-1"'],
    ['with a set of numbers for parents', { ...bareItem, parentShardId: new Set([1]) }, 'parentShardId is of type Set'],
    ['with a counter far too large', { ...bareItem, leaseCounter: 1e37 }, 'leaseCounter is the number 1e+37'],
    ['with a counter that is no number', { ...bareItem, leaseCounter: Number.NaN }, 'leaseCounter is the number NaN'],
    ['with a list for children', { ...bareItem, childShardIds: [] }, 'childShardIds is of type Array'],
    ['with a range that is upside down', range('9', '3'), 'startingHashKey is 9, expected less than endingHashKey, 3'],
    ['with an empty range', range('7', '7'), 'startingHashKey is 7, expected less than'],
    ['with a hash key beyond 128 bits', range('0', String(MAX_HASH_KEY + 1n)), 'endingHashKey is the string "3402'],
    ['with a hash key in hexadecimal', range('0', '0xff'), 'endingHashKey is the string "0xff"'],
    ['with a broken pending checkpoint', { ...bareItem, pendingCheckpoint: '' }, 'pendingCheckpoint is the string ""'],
    ['with a number for pending state', { ...bareItem, pendingCheckpointState: 1 }, 'pendingCheckpointState'],
    ['with a stream but no epoch', { ...bareItem, millraceStreamArn: 'arn' }, 'millraceStreamEpoch is missing'],
    ['with a text for a start time', { ...bareItem, millraceStartTimestamp: '1' }, 'millraceStartTimestamp'],
    ['with a text for the beginning', { ...bareItem, millraceBeganAt: '1' }, 'millraceBeganAt'],
    ['with a number for a type', { ...bareItem, entityType: 1 }, 'entityType is the number 1'],
    ['of values that are none', { ...bareItem, leaseCounter: undefined, checkpoint: Symbol() }, 'is of type Undefined']
  ]
  for (const [name, item, problem] of rows) {
    it(`skips one ${name} and says so`, () => {
      expect(skipped(item)).to.deep.include({ key: KEY, because: 'malformed' })
      expect(skipped(item).problem).to.include(problem)
    })
  }

  it('names everything that is wrong', () => {
    const { problem } = skipped({ ...bareItem, leaseCounter: -1, checkpoint: 'NOWHERE' })
    expect(problem).to.include('leaseCounter').and.to.include('checkpoint')
  })

  it('has no key to name if the row has none', () => {
    const { leaseKey: ___, ...keyless } = bareItem
    expect(skipped(keyless)).to.deep.include({ key: '?', because: 'malformed' })
    expect(skipped(keyless).problem).to.include('leaseKey is missing')
  })

  it('shows no payloads', () => {
    const { problem } = skipped({
      ...bareItem,
      leaseCounter: Buffer.from('secret'),
      leaseOwner: { a: 'secret', constructor: 'x' }
    })
    expect(problem).to.include('leaseCounter is of type Uint8Array').and.to.include('leaseOwner is of type Object')
    expect(problem).to.not.include('secret')
  })

  function range(start: string, end: string): Item {
    return { ...bareItem, startingHashKey: start, endingHashKey: end }
  }
})

describe('creationOf', () => {
  it('writes the whole item if there is none', () => {
    expect(creationOf(bare)).to.deep.equal({
      Item: bareItem,
      ConditionExpression: 'attribute_not_exists(#leaseKey)',
      ExpressionAttributeNames: { '#leaseKey': 'leaseKey' }
    })
  })
})

describe('replacementOf', () => {
  const held: Lease = { ...bare, owner: 'worker-1/1', counter: 5 }
  const updateOf = (before: Lease, after: Lease) => replacementOf(before, after).UpdateExpression

  it('writes what differs, if owner, counter and checkpoint owner are as before', () => {
    expect(replacementOf(held, renewed(held))).to.deep.equal({
      Key: { leaseKey: KEY },
      UpdateExpression: 'SET #leaseCounter = :leaseCounter',
      ConditionExpression:
        'attribute_exists(#leaseKey) AND #leaseOwner = :was_leaseOwner AND #leaseCounter = :was_leaseCounter' +
        ' AND attribute_not_exists(#checkpointOwner)',
      ExpressionAttributeNames: {
        '#leaseKey': 'leaseKey',
        '#leaseOwner': 'leaseOwner',
        '#leaseCounter': 'leaseCounter',
        '#checkpointOwner': 'checkpointOwner'
      },
      ExpressionAttributeValues: {
        ':leaseCounter': 6,
        ':was_leaseOwner': 'worker-1/1',
        ':was_leaseCounter': 5
      }
    })
  })

  it('tests that there is no owner if there was none, and the checkpoint owner if there was one', () => {
    const handingOver: Lease = { ...bare, checkpointOwner: 'previous' }
    const { ConditionExpression, ExpressionAttributeValues } = replacementOf(handingOver, claimed(handingOver, 'me'))
    expect(ConditionExpression).to.include('attribute_not_exists(#leaseOwner)')
    expect(ConditionExpression).to.include('#checkpointOwner = :was_checkpointOwner')
    expect(ExpressionAttributeValues).to.deep.include({ ':was_checkpointOwner': 'previous' })
  })

  it('writes owner and counter of a claim, and the end of a hand-over', () => {
    const claim = 'SET #leaseOwner = :leaseOwner, #leaseCounter = :leaseCounter'
    expect(updateOf(bare, claimed(bare, 'worker-2/1'))).to.equal(claim)
    const handingOver: Lease = { ...bare, checkpointOwner: 'previous' }
    expect(updateOf(handingOver, claimed(handingOver, 'worker-2/1'))).to.equal(`${claim} REMOVE #checkpointOwner`)
  })

  it('removes what is gone', () => {
    expect(updateOf(held, released(held))).to.equal('SET #leaseCounter = :leaseCounter REMOVE #leaseOwner')
    expect(updateOf(full, { ...full, parentShardIds: [], childShardIds: [] })).to.equal(
      'REMOVE #parentShardId, #childShardIds'
    )
  })

  it('settles the whole of a pending checkpoint', () => {
    const pending = prepared(held, { position: full.checkpoint, state: new Uint8Array([1]) })
    expect(updateOf(pending, checkpointed(pending, full.checkpoint))).to.match(
      /REMOVE #pendingCheckpoint, #pendingCheckpointSubSequenceNumber, #pendingCheckpointState$/
    )
    expect(updateOf(pending, { ...pending, pendingCheckpoint: { position: full.checkpoint } })).to.match(
      /REMOVE #pendingCheckpointState$/
    )
  })

  it('writes nothing if nothing differs, in whatever order shard ids are listed', () => {
    const again = { ...full, parentShardIds: [...full.parentShardIds].reverse() }
    expect(replacementOf(full, again)).to.not.have.property('UpdateExpression')
  })

  it('throws if the key is to change', () => {
    expect(() => replacementOf(bare, { ...bare, leaseKey: 'other' })).to.throw(BugError)
  })
})

describe('deletionOf', () => {
  it('deletes if there is nothing, or owner and counter are the same', () => {
    expect(deletionOf(bare)).to.deep.equal({
      Key: { leaseKey: KEY },
      ConditionExpression:
        'attribute_not_exists(#leaseKey) OR (attribute_not_exists(#leaseOwner) AND #leaseCounter = :was_leaseCounter)',
      ExpressionAttributeNames: {
        '#leaseKey': 'leaseKey',
        '#leaseOwner': 'leaseOwner',
        '#leaseCounter': 'leaseCounter'
      },
      ExpressionAttributeValues: { ':was_leaseCounter': 0 }
    })
  })
})

describe('a lease of a table that several streams share', () => {
  const streamId = '123456789012:orders:1700000000'
  // As KCL 3.5 for Java writes it when it creates the lease of a child: the id of the stream under streamName.
  const javaItem = {
    leaseKey: `${streamId}:${KEY}`,
    entityType: 'LEASE',
    leaseCounter: 0,
    ownerSwitchesSinceCheckpoint: 0,
    checkpoint: 'TRIM_HORIZON',
    checkpointSubSequenceNumber: 0,
    parentShardId: new Set(['shardId-000000000001']),
    startingHashKey: '0',
    endingHashKey: '340282366920938463463374607431768211455',
    streamName: streamId,
    shardId: KEY
  }
  const lease = newLease({
    shardId: KEY,
    streamId,
    checkpoint: { sequenceNumber: 'TRIM_HORIZON', subSequenceNumber: 0 },
    parentShardIds: ['shardId-000000000001'],
    hashKeyRange: { start: 0n, end: MAX_HASH_KEY }
  })

  it('is read as KCL for Java writes it: shards without the stream, and the key with it', () => {
    expect(parseItem(javaItem)).to.deep.equal({ kind: 'lease', lease })
  })

  it('is written as KCL for Java expects it', () => {
    expect(toItem(lease)).to.deep.equal(javaItem)
  })

  it('never has its stream changed by a write', () => {
    const { UpdateExpression, ExpressionAttributeNames } = replacementOf(lease, claimed(lease, 'w/1'))
    expect(UpdateExpression).to.not.equal(undefined)
    expect(Object.values(ExpressionAttributeNames ?? {})).to.not.include.members(['streamName'])
  })

  const { shardId: _, ...withoutShard } = javaItem
  for (const [what, item, problem] of [
    ['without a shard', withoutShard, 'shardId is missing'],
    ['whose stream is only a name', { ...javaItem, streamName: 'orders' }, 'streamName is'],
    ['whose stream was created at second 0', { ...javaItem, streamName: '1:orders:0' }, 'streamName is'],
    ['whose key is of another shard', { ...javaItem, leaseKey: `${streamId}:other` }, 'leaseKey is']
  ] as const) {
    it(`is skipped ${what}, and told of`, () => {
      const row = skipped(item)
      expect(row.because).to.equal('malformed')
      expect(row.problem).to.include(problem)
    })
  }
})
