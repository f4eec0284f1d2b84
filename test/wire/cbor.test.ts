import { expect } from 'chai'
import { CborError, CborReader, cborMap } from '../../src/wire/cbor.ts'
import { cborOf } from './random-answers.ts'

function read(...bytes: (number | Buffer)[]): unknown {
  const reader = new CborReader(
    Buffer.concat(bytes.map(part => (typeof part === 'number' ? Buffer.from([part]) : part)))
  )
  const value = reader.value()
  expect(reader.isOver).to.equal(true)
  return value
}

describe('CborReader', () => {
  it('reads every kind of value', () => {
    const value = {
      a: [0, 23, 24, 255, 256, 65_535, 65_536, 4_294_967_295, 2 ** 40],
      b: { text: 'ключ 🦭', long: 'x'.repeat(300) }
    }
    expect(read(cborOf({ ...value, yes: true, no: false, nothing: null, half: 1.5 }))).to.deep.equal({
      ...value,
      yes: true,
      no: false,
      nothing: null,
      half: 1.5
    })
  })

  // From appendix A of RFC 8949.
  const EXAMPLES: readonly [hex: string, value: unknown][] = [
    ['20', -1],
    ['3903e7', -1000],
    ['3bffffffffffffffff', -(2 ** 64)],
    ['f90000', 0],
    ['f93c00', 1],
    ['f9c400', -4],
    ['f97bff', 65504],
    ['f90001', 2 ** -24],
    ['f97c00', Number.POSITIVE_INFINITY],
    ['f97e00', Number.NaN],
    ['fa47c35000', 100000],
    ['fb3ff199999999999a', 1.1],
    ['c11a514b67b0', 1363896240],
    ['c1fb41d452d9ea07ae14', 1363896232.12],
    ['f7', null],
    ['5f42010243030405ff', Buffer.from([1, 2, 3, 4, 5])],
    ['7f657374726561646d696e67ff', 'streaming'],
    ['9f018202039f0405ffff', [1, [2, 3], [4, 5]]],
    ['bf61610161629f0203ffff', { a: 1, b: [2, 3] }],
    ['80', []],
    ['a0', {}]
  ]
  for (const [hex, value] of EXAMPLES) {
    it(`reads ${hex}`, () => {
      expect(read(Buffer.from(hex, 'hex'))).to.deep.equal(value)
    })
  }

  const BAD: readonly [title: string, hex: string][] = [
    ['nothing', ''],
    ['a text that breaks off', '6568656c'],
    ['a length that breaks off', '7a0000'],
    ['more text than there can be', '7bffffffffffffffff61'],
    ['a list without its end', '9f01'],
    ['an end of nothing', 'ff'],
    ['a key that is a number', 'a10102'],
    ['a head that means nothing', '1c'],
    ['a number without a length', '1f'],
    ['pieces of another kind', '5f6161ff'],
    ['pieces in pieces', '5f5f4161ffff'],
    ['a simple value that is not known', 'f0']
  ]
  for (const [title, hex] of BAD) {
    it(`refuses ${title}`, () => {
      const outcome = (() => {
        try {
          return new CborReader(Buffer.from(hex, 'hex')).value()
        } catch (error) {
          return error
        }
      })()
      expect(outcome).to.satisfy((error: unknown) => error instanceof CborError || error instanceof RangeError)
    })
  }

  it('refuses nesting without end, before it runs out of stack', () => {
    for (const byte of [0x81, 0x9f, 0xc1]) {
      expect(() => new CborReader(Buffer.alloc(1_000_000, byte)).value()).to.throw(CborError, 'nested')
    }
  })

  it('takes no memory for a list that only says that it is long', () => {
    expect(() => new CborReader(Buffer.from('9affffffff', 'hex')).value()).to.throw(RangeError)
  })
})

describe('cborMap', () => {
  it('writes what can be read', () => {
    const fields = {
      ShardIterator: 'A'.repeat(300),
      Limit: 10_000,
      StreamARN: 'arn:aws',
      zero: 0,
      small: 200,
      large: 4_294_967_295
    }
    expect(read(Buffer.from(cborMap(fields)))).to.deep.equal(fields)
  })
})
