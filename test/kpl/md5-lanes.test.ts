import { createHash } from 'node:crypto'
import { expect } from 'chai'
import { DIGEST_BYTES, Md5Lanes, SHORT_TEXTS } from '../../src/kpl/md5-lanes.ts'
import { ONE_BLOCK_BYTES } from '../../src/kpl/md5-wasm.ts'
import { type Random, seededRandom } from '../../src/runtime/random.ts'
import { seedOr } from '../support/seeds.ts'

const SEED = seedOr(20_243)

describe('Md5Lanes', () => {
  it('hashes groups of messages of any lengths like node:crypto', function () {
    this.timeout(60_000)
    const random = seededRandom(SEED)
    const lanes = theLanes()
    const source = bytesOf(random, 300_000)
    for (let round = 0; round < 3_000; round++) {
      const messages = Array.from({ length: below(random, 10) }, () => {
        const length = below(random, random.next() < 0.02 ? 200_000 : random.next() < 0.2 ? 5_000 : 200)
        const from = below(random, source.length - length)
        return source.subarray(from, from + length)
      })
      expect(digestsBy(lanes, messages), `SEED=${SEED}, round ${round}`).to.deep.equal(messages.map(md5))
    }
  })

  it('hashes messages of every length around a block, alone and side by side', () => {
    const lanes = theLanes()
    const messages = Array.from({ length: 260 }, (_, length) => new Uint8Array(length).fill(length + 1))
    expect(digestsBy(lanes, messages)).to.deep.equal(messages.map(md5))
    for (const message of messages) expect(digestsBy(lanes, [message])).to.deep.equal([md5(message)])
  })

  it('hashes messages of megabytes beside small ones, and around the size of its memory', () => {
    const lanes = theLanes()
    const big = bytesOf(seededRandom(SEED), 3_000_001)
    const around = [32_640, 32_704, 32_768, 65_280, 65_408, 65_536].flatMap(size =>
      [-65, -57, -56, -9, -8, -1, 0, 1, 63].map(by => big.subarray(3, 3 + size + by))
    )
    const messages = [big, big.subarray(1), new Uint8Array(0), big.subarray(7, 8), ...around]
    expect(digestsBy(lanes, messages)).to.deep.equal(messages.map(md5))
  })

  it('gives the first word of the digests of short texts', () => {
    const random = seededRandom(SEED)
    const lanes = theLanes()
    for (const count of [0, 1, 2, 3, 4, 5, 63, SHORT_TEXTS - 1, SHORT_TEXTS]) {
      const texts = Array.from({ length: count }, (_, i) => bytesOf(random, i % (ONE_BLOCK_BYTES + 1)))
      const bytes = Buffer.concat([Buffer.from('before'), ...texts, Buffer.from('behind')])
      const list = new Int32Array(2 * count)
      let at = 6
      for (const [i, { length }] of texts.entries()) {
        list.set([at, length], 2 * i)
        at += length
      }
      lanes.shortTexts.set(list)
      const words = [...lanes.hashShort(bytes, 6, at, count).subarray(0, count)]
      expect(words, `SEED=${SEED}, ${count}`).to.deep.equal(
        texts.map(text => Buffer.from(md5(text), 'hex').readInt32BE())
      )
    }
  })

  it('is not there if the module does not compile or link', () => {
    expect(Md5Lanes.create(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 9))).to.equal(undefined)
    expect(Md5Lanes.create(new Uint8Array(8))).to.equal(undefined)
  })
})

function theLanes(): Md5Lanes {
  const lanes = Md5Lanes.create()
  if (lanes === undefined) throw new Error('this Node has no WebAssembly')
  return lanes
}

function digestsBy(lanes: Md5Lanes, messages: readonly Uint8Array[]): string[] {
  const digests = Buffer.alloc(DIGEST_BYTES * messages.length)
  lanes.hash(messages, digests)
  return messages.map((_, i) => digests.toString('hex', DIGEST_BYTES * i, DIGEST_BYTES * (i + 1)))
}

function md5(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('hex')
}

function bytesOf(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => 256 * random.next())
}

function below(random: Random, limit: number): number {
  return Math.floor(random.next() * limit)
}
