import { expect } from 'chai'
import { faultIn } from '../../src/kinesis/sdk-faults.ts'
import { cborOf } from '../wire/random-answers.ts'

const JSON_TYPE = 'application/x-amz-json-1.1'

describe('faultIn', () => {
  const NAMES: readonly [title: string, headers: Record<string, string>, body: unknown, name: string][] = [
    [
      'the body',
      {},
      { __type: 'com.amazonaws.kinesis.v20131202#ExpiredIteratorException' },
      'ExpiredIteratorException'
    ],
    ['the body, without a namespace', {}, { __type: 'ExpiredIteratorException' }, 'ExpiredIteratorException'],
    ['a code', {}, { code: 'Throttling' }, 'Throttling'],
    ['a header', { 'x-amzn-errortype': 'ResourceInUseException:http://amazon.com/' }, {}, 'ResourceInUseException'],
    ['nowhere', {}, {}, 'UnknownError'],
    ['a type that is none', {}, { __type: 7, message: {} }, 'UnknownError']
  ]
  for (const [title, headers, body, name] of NAMES) {
    it(`has the name from ${title}`, () => {
      expect(faultIn({ statusCode: 400, headers }, JSON_TYPE, Buffer.from(JSON.stringify(body)))).to.have.property(
        'name',
        name
      )
    })
  }

  it('has the words of the service, in JSON and in CBOR', () => {
    for (const said of [{ message: 'old' }, { Message: 'old' }]) {
      expect(faultIn({ statusCode: 400, headers: {} }, JSON_TYPE, Buffer.from(JSON.stringify(said))).message).to.equal(
        'old'
      )
      expect(faultIn({ statusCode: 400, headers: {} }, 'application/x-amz-cbor-1.1', cborOf(said)).message).to.equal(
        'old'
      )
    }
  })

  it('has the status of what is no answer of the service', () => {
    for (const type of ['text/html', 'application/x-amz-cbor-1.1', JSON_TYPE]) {
      expect(faultIn({ statusCode: 502, headers: {} }, type, Buffer.from('<html>'))).to.deep.include({
        message: 'HTTP status 502',
        $metadata: { httpStatusCode: 502, requestId: undefined }
      })
    }
  })
})
