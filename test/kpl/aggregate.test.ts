import { expect } from 'chai'
import { aggregate, type UserRecord } from '../../src/kpl/aggregate.ts'
import { deaggregate } from '../../src/kpl/deaggregate.ts'
import { hashKeyOf } from '../../src/kpl/hash-key.ts'
import { OptionError } from '../../src/model/errors.ts'
import { type Random, randomWord, seededRandom } from '../../src/runtime/random.ts'
import { seedOr } from '../support/seeds.ts'
import { recordOf, type Vector, vectors } from './vectors.ts'

const SEED = seedOr(20_241)
const MAX_HASH_KEY_TEXT = '340282366920938463463374607431768211455'

/** Legal aggregates of two records or more that the KPL would not have written in these bytes. */
const NOT_CANONICAL: readonly string[] = [
  'wf-tags-ignored',
  'wf-duplicate-table-entries',
  'wf-records-before-tables',
  'wf-interleaved',
  'wf-concatenated-messages',
  'wf-overlong-index-varint'
]

describe('aggregate', () => {
  for (const vector of vectors.filter(isCanonical)) {
    it(`writes the bytes of the KPL: ${vector.name}`, () => {
      expect(Buffer.from(aggregate(usersOf(vector)).data).toString('base64')).to.equal(vector.data)
    })
  }

  it('writes other bytes than those vectors that are legal and not canonical', () => {
    for (const name of NOT_CANONICAL) {
      const vector = vectors.find(candidate => candidate.name === name)
      if (vector === undefined) throw new Error(`no vector ${name}`)
      expect(Buffer.from(aggregate(usersOf(vector)).data).toString('base64'), name).to.not.equal(vector.data)
    }
  })

  it('comes back from deaggregate as it was', () => {
    const random = seededRandom(SEED)
    for (let i = 0; i < 300; i++) {
      const users = Array.from({ length: 2 + Math.floor(random.next() * 300) }, () => randomUser(random))
      const { records } = deaggregate([{ sequenceNumber: '7', ...aggregate(users) }])
      const got = records.map(record => [
        record.partitionKey,
        record.explicitHashKey,
        Buffer.from(record.data).toString('hex')
      ])
      const put = users.map(user => [user.partitionKey, user.explicitHashKey, Buffer.from(user.data).toString('hex')])
      expect(got, `SEED=${SEED}, round ${i}`).to.deep.equal(put)
      expect(records.map(record => record.subSequenceNumber)).to.deep.equal(users.map((_, k) => k))
    }
  })

  it('goes out under the key "a" and the hash key of its first member', () => {
    const data = new Uint8Array()
    const hashed = aggregate([
      { partitionKey: 'first', data },
      { partitionKey: 'second', data }
    ])
    expect(hashed.partitionKey).to.equal('a')
    expect(hashed.explicitHashKey).to.equal(hashKeyOf('first').toString())
    const explicit = aggregate([
      { partitionKey: 'first', explicitHashKey: '0042', data },
      { partitionKey: 'second', data }
    ])
    expect(explicit.explicitHashKey).to.equal('42')
    expect(deaggregate([{ sequenceNumber: '7', ...explicit }]).records[0]?.explicitHashKey).to.equal('42')
  })

  it('leaves a single record as it is', () => {
    const data = Uint8Array.of(1, 2, 3)
    const single = aggregate([{ partitionKey: 'key', data }])
    expect(single).to.deep.equal({ partitionKey: 'key', explicitHashKey: hashKeyOf('key').toString(), data })
    expect(single.data).to.equal(data)
  })

  it('refuses an empty list, and says so', () => {
    expect(() => aggregate([])).to.throw(OptionError, 'Option records: expected at least one record, got none')
  })

  it('refuses partition keys of no or of more than 256 characters, and says which', () => {
    const good: UserRecord = { partitionKey: '😀'.repeat(256), data: new Uint8Array() }
    const withKey = (partitionKey: string) => () => aggregate([good, { ...good, partitionKey }])
    expect(withKey('k')).to.not.throw()
    expect(withKey('')).to.throw(OptionError, 'records[1].partitionKey: expected 1 to 256 characters, got 0')
    expect(withKey('k'.repeat(257))).to.throw(
      OptionError,
      'records[1].partitionKey: expected 1 to 256 characters, got 257'
    )
    expect(withKey('😀'.repeat(257))).to.throw(OptionError, 'got 257')
  })

  it('refuses explicit hash keys outside the hash space, and says which', () => {
    const good: UserRecord = { partitionKey: 'k', data: new Uint8Array() }
    for (const explicitHashKey of ['', 'abc', ' 5', '0x10', '1.0', '-1', 'undefined', (2n ** 128n).toString()]) {
      expect(() => aggregate([good, { ...good, explicitHashKey }]), explicitHashKey).to.throw(
        OptionError,
        `records[1].explicitHashKey: expected a whole number from 0 to 2^128 - 1 in decimal digits, got ${JSON.stringify(explicitHashKey)}`
      )
    }
    for (const explicitHashKey of ['0', MAX_HASH_KEY_TEXT]) {
      expect(() => aggregate([good, { ...good, explicitHashKey }])).to.not.throw()
    }
  })
})

function isCanonical({ name, wellFormed, expected }: Vector): boolean {
  return (
    wellFormed === true && expected !== 'passthrough' && expected.records.length > 1 && !NOT_CANONICAL.includes(name)
  )
}

function usersOf(vector: Vector): UserRecord[] {
  return deaggregate([recordOf(vector)]).records.map(({ partitionKey, explicitHashKey, data }) => ({
    partitionKey,
    ...(explicitHashKey !== undefined && { explicitHashKey }),
    data
  }))
}

function randomUser(random: Random): UserRecord {
  const keys = ['__proto__', 'constructor', '2', '10', '😀', '\ufeffbom', '\u0000', 'é'.repeat(256), 'k'.repeat(256)]
  const pick = Math.floor(random.next() * (keys.length + 5))
  const user = {
    partitionKey: keys[pick] ?? randomWord(1 + Math.floor(random.next() * 20), random),
    data: Uint8Array.from(
      { length: random.next() < 0.2 ? 0 : Math.floor(random.next() * 300) },
      () => random.next() * 256
    )
  }
  if (random.next() < 0.7) return user
  const explicitHashKey = random.next() < 0.2 ? MAX_HASH_KEY_TEXT : hashKeyOf(randomWord(4, random)).toString()
  return { ...user, explicitHashKey }
}
