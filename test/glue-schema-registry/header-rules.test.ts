import { expect } from 'chai'
import { HEADER_BYTES, headerOf } from '../../src/glue-schema-registry/header-rules.ts'
import { VECTORS, withHeader } from './registry.ts'

describe('headerOf', () => {
  it('reads what the released serializer of Java writes', () => {
    for (const { record, schemaVersionId, compressed: isCompressed } of VECTORS) {
      expect(headerOf(Buffer.from(record, 'base64'))).to.deep.equal({ schemaVersionId, isCompressed })
    }
  })

  it('takes data for what it is that is too short, or begins with something else', () => {
    const good = withHeader('00000000-0000-0000-0000-000000000001', '')
    expect(good).to.have.length(HEADER_BYTES)
    expect(headerOf(good)).to.include({ isCompressed: false })
    expect(headerOf(good.subarray(0, HEADER_BYTES - 1))).to.equal(undefined)
    for (const [place, byte] of [
      [0, 2],
      [0, 123],
      [1, 1],
      [1, 6]
    ] as const) {
      expect(headerOf(Buffer.from(good).fill(byte, place, place + 1))).to.equal(undefined)
    }
  })

  it('reads a header in the midst of a larger buffer', () => {
    const good = withHeader('01234567-89ab-cdef-0123-456789abcdef', 'x')
    const view = Buffer.concat([Buffer.from('before'), good]).subarray(6)
    expect(headerOf(view)).to.have.property('schemaVersionId', '01234567-89ab-cdef-0123-456789abcdef')
  })
})
