import { expect } from 'chai'
import { OptionError } from '../../src/model/errors.ts'
import { FULL_HASH_KEY_RANGE } from '../../src/model/hash-key-range.ts'
import { exportOf, parseExport } from '../../src/operate/checkpoint-codec.ts'
import { A_STREAM, aLease, aPosition, shardId } from '../support/builders.ts'

const leases = [
  aLease({
    leaseKey: shardId(1),
    shardId: shardId(1),
    checkpoint: aPosition(12, 3),
    parentShardIds: [shardId(0)],
    beganAtMs: 7
  }),
  aLease({
    checkpoint: aPosition('LATEST'),
    startTimestampMs: 9,
    owner: 'a/00000001',
    counter: 5,
    childShardIds: [shardId(1)]
  })
]
const exported = exportOf('counter', A_STREAM, leases, 1_000)
/** As it comes out of a file. */
const read = (): Record<string, unknown> => JSON.parse(JSON.stringify(exported))

describe('exportOf', () => {
  it('has every lease in order, without owners and counters', () => {
    expect(exported.leases.map(lease => lease.shardId)).to.deep.equal([shardId(0), shardId(1)])
    expect(exported.leases[0]).to.deep.equal({
      shardId: shardId(0),
      sequenceNumber: 'LATEST',
      subSequenceNumber: 0,
      startTimestampMs: 9,
      parentShardIds: [],
      childShardIds: [shardId(1)],
      hashKeyRange: { start: '0', end: FULL_HASH_KEY_RANGE.end.toString() }
    })
  })
})

describe('parseExport', () => {
  it('reads what was exported, after it was in a file', () => {
    expect(parseExport(read())).to.deep.equal(exported)
  })

  const broken: readonly (readonly [string, (data: Record<string, unknown>) => unknown, RegExp])[] = [
    ['nothing', () => undefined, /^Option checkpoints: is missing, expected an object/],
    ['an array', () => [], /^Option checkpoints: is an array/],
    [
      'another format',
      data => ({ ...data, format: 'x' }),
      /checkpoints\.format: is "x", expected 'millrace-checkpoints'/
    ],
    ['a later version', data => ({ ...data, version: 2 }), /checkpoints\.version: is 2, expected 1/],
    ['no stream', data => ({ ...data, streamArn: '' }), /checkpoints\.streamArn: is ""/],
    ['no leases', data => ({ ...data, leases: {} }), /checkpoints\.leases: is an object, expected an array/],
    ['a shard twice', data => ({ ...data, leases: [exported.leases[0], exported.leases[0]] }), /has shardId-0+ twice/],
    [
      'a checkpoint that is none',
      data => withLease(data, { sequenceNumber: 'soon' }),
      /leases\[0\]\.sequenceNumber: is "soon", expected decimal/
    ],
    ['half a record', data => withLease(data, { subSequenceNumber: 0.5 }), /leases\[0\]\.subSequenceNumber: is 0.5/],
    [
      'a parent without a name',
      data => withLease(data, { parentShardIds: [''] }),
      /leases\[0\]\.parentShardIds: is an array/
    ],
    ['a time before time', data => withLease(data, { startTimestampMs: -1 }), /leases\[0\]\.startTimestampMs: is -1/],
    ['a range as numbers', data => withLease(data, { hashKeyRange: { start: 0, end: 1 } }), /hashKeyRange\.start: is 0/]
  ]
  for (const [what, change, message] of broken) {
    it(`refuses ${what}, and says where it is`, () => {
      expect(() => parseExport(change(read()))).to.throw(OptionError, message)
    })
  }
})

function withLease(data: Record<string, unknown>, change: object): unknown {
  return { ...data, leases: [{ ...exported.leases[0], ...change }] }
}
