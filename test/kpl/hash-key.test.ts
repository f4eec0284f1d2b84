import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { hashKeyOf, PartitionKeyRange, parseExplicitHashKey } from '../../src/kpl/hash-key.ts'
import { Md5 } from '../../src/kpl/md5.ts'
import { OptionError } from '../../src/model/errors.ts'
import { MAX_HASH_KEY } from '../../src/model/hash-key-range.ts'

describe('Md5', () => {
  it('hashes texts of every length around the block size like node:crypto', () => {
    const md5 = new Md5()
    for (let length = 0; length <= 260; length++) {
      const bytes = Uint8Array.from({ length: length + 5 }, (_, i) => i * 37 + length)
      md5.hash(bytes, 2, 2 + length)
      const hex = Array.from(md5.words, word => word.toString(16).padStart(8, '0')).join('')
      expect(hex, `${length} bytes`).to.equal(
        createHash('md5')
          .update(bytes.subarray(2, 2 + length))
          .digest('hex')
      )
    }
  })
})

describe('hashKeyOf', () => {
  it('is the MD5 of the UTF-8 partition key as a big-endian number', () => {
    for (const key of ['a', '', '😀', 'k'.repeat(256)]) {
      expect(hashKeyOf(key), key).to.equal(BigInt(`0x${createHash('md5').update(key).digest('hex')}`))
    }
  })

  it('is the explicit hash key if there is one', () => {
    expect(hashKeyOf('a', '0007')).to.equal(7n)
    expect(hashKeyOf('a', MAX_HASH_KEY.toString())).to.equal(MAX_HASH_KEY)
  })

  it('refuses an explicit hash key that is no number of the hash space', () => {
    for (const text of ['', ' 5', '0x10', '1e3', '-1', (MAX_HASH_KEY + 1n).toString()]) {
      expect(() => hashKeyOf('a', text), text).to.throw(OptionError, 'explicitHashKey')
    }
  })
})

describe('parseExplicitHashKey', () => {
  it('takes signs and leading zeros, and nothing that BigInt takes besides', () => {
    expect(['+5', '0005', '-0', '000', '5\n', '٥', '5n'].map(parseExplicitHashKey)).to.deep.equal([
      5n,
      5n,
      0n,
      0n,
      undefined,
      undefined,
      undefined
    ])
  })

  it('stops one step outside the hash space', () => {
    expect(parseExplicitHashKey('-99999')).to.equal(-1n)
    expect(parseExplicitHashKey('9'.repeat(39))).to.equal(MAX_HASH_KEY + 1n)
    expect(parseExplicitHashKey('9'.repeat(400))).to.equal(MAX_HASH_KEY + 1n)
  })
})

describe('PartitionKeyRange', () => {
  it('includes both ends and nothing beyond', () => {
    const bytes = Buffer.from('some key')
    const hash = hashKeyOf('some key')
    const contains = (start: bigint, end: bigint) =>
      new PartitionKeyRange({ start, end }).contains(bytes, 0, bytes.length)
    expect(contains(hash, hash)).to.equal(true)
    expect(contains(0n, hash - 1n)).to.equal(false)
    expect(contains(hash + 1n, MAX_HASH_KEY)).to.equal(false)
    for (const bit of [31n, 32n, 63n, 64n, 95n, 96n]) {
      const step = 1n << bit
      expect(contains(hash - step, hash + step), `bit ${bit}`).to.equal(true)
      expect(contains(hash + step, MAX_HASH_KEY), `bit ${bit}`).to.equal(false)
      expect(contains(0n, hash - step), `bit ${bit}`).to.equal(false)
    }
  })

  it('tells by the first 32 bits of a hash alone, unless they are those of an end', () => {
    const range = new PartitionKeyRange({ start: 5n << 96n, end: (0xf000_0000n << 96n) + 7n })
    const words = [0, 4, 5, 6, 0x7fff_ffff, 0x8000_0000, 0x8000_0000 | 0, 0xefff_ffff, 0xf000_0000, 0xf000_0001, -1]
    const expected = [false, false, undefined, true, true, true, true, true, undefined, false, false]
    expect(words.map(word => range.containsWord(word))).to.deep.equal(expected)
  })
})
