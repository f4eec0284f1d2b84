import { expect } from 'chai'
import { ConsumedRecord } from '../../src/model/record.ts'

const aRecord = (data: Uint8Array) =>
  new ConsumedRecord({ sequenceNumber: '1', subSequenceNumber: 0, partitionKey: 'k', data, aggregated: false })

describe('ConsumedRecord', () => {
  it('reads its payload as text, a byte order mark and invalid bytes included', () => {
    expect(aRecord(Buffer.from('\uFEFFgrün 😀')).text()).to.equal('\uFEFFgrün 😀')
    expect(aRecord(Buffer.from([0x61, 0xff])).text()).to.equal('a\uFFFD')
    expect(aRecord(new Uint8Array()).text()).to.equal('')
  })

  it('reads its payload as JSON, or says that it is none', () => {
    expect(aRecord(Buffer.from('{"a":[1]}')).json()).to.deep.equal({ a: [1] })
    expect(() => aRecord(Buffer.from('{')).json()).to.throw(SyntaxError)
  })

  it('copies itself off the buffer it is a view on', () => {
    const whole = Buffer.from('abcdef')
    const record = aRecord(whole.subarray(2, 4))
    const copy = record.copy()
    whole.fill(0)
    expect(copy).to.be.instanceOf(ConsumedRecord)
    expect([copy.text(), copy.data.buffer.byteLength, record.data[0]]).to.deep.equal(['cd', 2, 0])
  })
})
