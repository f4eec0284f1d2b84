import { marshall, unmarshall } from '@aws-sdk/util-dynamodb'
import { expect } from 'chai'
import {
  type AttributeJson,
  type AttributesJson,
  attributesJson,
  keyText,
  plainAttributes,
  plainValue
} from '../../src/dynamodb-streams/attribute-rules.ts'

const ITEM = {
  text: 'a',
  number: -1.5e-7,
  large: 12345678901234567890n,
  yes: true,
  nothing: null,
  bytes: Uint8Array.of(0, 1, 255),
  list: [1, 'b', [null]],
  map: { deep: { er: new Set(['x', 'y']) } },
  numbers: new Set([1, 2]),
  binaries: new Set([Uint8Array.of(1), Uint8Array.of(2)])
}

describe('plainAttributes', () => {
  it('reads what the document client wrote as the document client does', () => {
    const sdk = marshall(ITEM)
    const json = JSON.parse(JSON.stringify(attributesJson(sdk)))
    expect(plainAttributes(json, 'number')).to.deep.equal(unmarshall(sdk)).and.to.deep.equal(ITEM)
  })

  it('keeps an attribute called __proto__ as an attribute', () => {
    const read = plainAttributes(JSON.parse('{"__proto__":{"S":"x"},"id":{"S":"y"}}'), 'number')
    expect(Object.keys(read)).to.deep.equal(['__proto__', 'id'])
    expect(Object.getPrototypeOf(read)).to.equal(Object.prototype)
  })
})

describe('plainValue', () => {
  it('makes of numbers what is wanted', () => {
    const of = (N: string, form: Parameters<typeof plainValue>[1]) => plainValue({ N }, form)
    expect(of('7', 'number')).to.equal(7)
    expect(of('0.25', 'number')).to.equal(0.25)
    expect(of('9007199254740993', 'number')).to.equal(9007199254740993n)
    expect(of('1E+30', 'number')).to.equal(1e30)
    expect(of('7', 'bigint')).to.equal(7n)
    expect(of('0.25', 'bigint')).to.equal(0.25)
    expect(of('0.12345678901234567890123456789', 'string')).to.equal('0.12345678901234567890123456789')
    expect(of('7', digits => `<${digits}>`)).to.equal('<7>')
    expect(plainValue({ NS: ['1', '2'] }, 'string')).to.deep.equal(new Set(['1', '2']))
  })

  it('gives binary values memory of their own', () => {
    const bytes = plainValue({ B: 'AQID' }, 'number') as Uint8Array
    expect([...bytes]).to.deep.equal([1, 2, 3])
    expect(bytes.buffer.byteLength).to.equal(3)
  })

  it('refuses a type that it does not know', () => {
    expect(() => plainValue({ X: 1 } as unknown as AttributeJson, 'number')).to.throw(TypeError, 'has the type X')
  })
})

describe('keyText', () => {
  it('is the same for the same key, whatever order its attributes came in, and another one for others', () => {
    const a: AttributesJson = { id: { S: '1' }, at: { N: '2' } }
    const b: AttributesJson = { at: { N: '2' }, id: { S: '1' } }
    expect(keyText(a)).to.equal(keyText(b)).and.to.equal('{"at":{"N":"2"},"id":{"S":"1"}}')
    expect(keyText({ ...a, id: { N: '1' } })).not.to.equal(keyText(a))
  })
})
