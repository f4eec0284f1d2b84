import { KinesisClient } from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { expect } from 'chai'
import { GetRecords, type Wire } from '../../src/kinesis/sdk-get-records.ts'
import { ServiceError } from '../../src/model/errors.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { cborOf, inCbor, type MadeAnswer } from '../wire/random-answers.ts'
import { EMPTY_ANSWER, refusal, type ScriptedAnswer, ScriptedServer } from './scripted-server.ts'

const CBOR = 'application/x-amz-cbor-1.1'
const ARN = 'arn:aws:kinesis:eu-west-3:123456789012:stream/orders'
const NEVER = new AbortController().signal
const ONE: MadeAnswer = {
  records: [{ SequenceNumber: '17', PartitionKey: 'key', Data: Buffer.from('abc') }],
  fields: { MillisBehindLatest: 5, NextShardIterator: 'next' }
}
const ONE_IN_JSON = JSON.stringify({
  Records: [{ SequenceNumber: '17', PartitionKey: 'key', Data: 'YWJj' }],
  ...ONE.fields
})

describe('GetRecords', () => {
  let server: ScriptedServer
  let client: KinesisClient

  beforeEach(async () => {
    server = new ScriptedServer()
    await server.listen()
    client = new KinesisClient({
      endpoint: server.endpoint,
      region: 'eu-west-3',
      credentials: { accessKeyId: 'AKID', secretAccessKey: 'secret' },
      requestHandler: new NodeHttpHandler(),
      maxAttempts: 1
    })
  })

  afterEach(async () => {
    client.destroy()
    await server.close()
  })

  const calls = (wire: Wire = 'json', streamArn?: string): GetRecords =>
    new GetRecords({ client, clock: systemClock, wire, streamArn })

  async function textsOf(getRecords: GetRecords): Promise<string[]> {
    const { records } = await getRecords.call('it', 10, NEVER)
    return records.map(({ data }) => Buffer.from(data).toString())
  }

  const typesOf = (): string[] =>
    server.requests.map(({ headers }) => String(headers['content-type']).split('-')[2] ?? '')

  it('asks with the iterator, the limit, and the ARN of a stream that is known by it', async () => {
    await calls().call('it', 10, NEVER)
    await calls('json', ARN).call('it', 10, NEVER)
    expect(server.requests.map(({ body }) => JSON.parse(body.toString()))).to.deep.equal([
      { ShardIterator: 'it', Limit: 10 },
      { ShardIterator: 'it', Limit: 10, StreamARN: ARN }
    ])
  })

  it('goes through the client if something was added to it', async () => {
    const seen: unknown[] = []
    client.middlewareStack.add(
      next => args => {
        seen.push(args.input)
        return next(args)
      },
      { step: 'initialize', name: 'tracing' }
    )
    server.answer = () => ({ body: ONE_IN_JSON })
    expect(await calls('cbor').call('it', 10, NEVER)).to.deep.include({
      bytes: 3,
      millisBehindLatest: 5,
      nextIterator: 'next'
    })
    expect(seen).to.deep.equal([{ ShardIterator: 'it', Limit: 10 }])
  })

  it('decodes a large answer', async () => {
    const Data = Buffer.alloc(1_000, 'x').toString('base64')
    const Records = Array.from({ length: 500 }, (_, index) => ({
      SequenceNumber: String(index + 1),
      PartitionKey: 'k',
      Data
    }))
    server.answer = () => ({ body: JSON.stringify({ Records }) })
    const answers = await Promise.all([1, 2, 3].map(() => calls().call('it', 10, NEVER)))
    expect(answers.map(({ records, bytes }) => [records.length, bytes])).to.deep.equal(Array(3).fill([500, 500_000]))
  })

  it('refuses an answer that is no JSON, and quotes nothing of it', async () => {
    server.answer = () => ({ body: 'secret' })
    const failure = await calls()
      .call('it', 10, NEVER)
      .catch((error: unknown) => error)
    expect(failure).to.be.instanceOf(ServiceError).with.property('message').that.does.not.include('secret')
  })

  describe('in CBOR', () => {
    const ODD: readonly [title: string, answer: ScriptedAnswer][] = [
      ['refuses it', refusal(400, 'SerializationException')],
      ['does not know the call in it', refusal(404, 'com.amazon.coral.service#UnknownOperationException')],
      ['refuses it without a reason', { status: 415, body: 'Unsupported Media Type' }],
      ['answers in JSON', { headers: { 'content-type': 'application/x-amz-json-1.1' }, body: ONE_IN_JSON }],
      ['answers in JSON and says that it is CBOR', { body: ONE_IN_JSON }],
      ['answers with what breaks off', { body: inCbor(ONE).subarray(0, 30) }],
      ['has payloads in text', { body: inCbor(ONE, { dataOf: data => cborOf(data.toString('base64')) }) }]
    ]
    for (const [title, odd] of ODD) {
      it(`makes the same call in JSON if the endpoint ${title}, and stays with JSON`, async () => {
        server.answer = ({ headers }) => (headers['content-type'] === CBOR ? odd : { body: ONE_IN_JSON })
        const getRecords = calls('cbor')
        expect(await textsOf(getRecords)).to.deep.equal(['abc'])
        expect(await textsOf(getRecords)).to.deep.equal(['abc'])
        expect(typesOf()).to.deep.equal(['cbor', 'json', 'json'])
        expect(getRecords.wire).to.equal('json')
      })
    }

    it('reads the answer, and stays with it', async () => {
      server.answer = () => ({ body: inCbor(ONE, { indefinite: true }) })
      const getRecords = calls('cbor')
      expect(await textsOf(getRecords)).to.deep.equal(['abc'])
      expect(await textsOf(getRecords)).to.deep.equal(['abc'])
      expect(typesOf()).to.deep.equal(['cbor', 'cbor'])
    })

    it('tells the faults of the service, without another call', async () => {
      const failures: [answer: ScriptedAnswer, name: string][] = [
        [
          { status: 400, body: cborOf({ __type: 'ExpiredIteratorException', message: 'old' }) },
          'ExpiredIteratorException'
        ],
        [refusal(400, 'ProvisionedThroughputExceededException'), 'ProvisionedThroughputExceededException'],
        [{ status: 503, body: '<html>' }, 'UnknownError']
      ]
      const getRecords = calls('cbor')
      for (const [answer, name] of failures) {
        server.answer = () => answer
        const failure = await getRecords.call('it', 10, NEVER).catch((error: unknown) => error)
        expect(failure).to.have.property('name', name)
      }
      expect(typesOf()).to.deep.equal(['cbor', 'cbor', 'cbor'])
      expect(getRecords.wire).to.equal('cbor')
    })

    it('is tried again if JSON was not answered either', async () => {
      server.answer = () => refusal(404, 'UnknownOperationException')
      const getRecords = calls('cbor')
      await getRecords.call('it', 10, NEVER).catch(() => {})
      server.answer = ({ headers }) =>
        headers['content-type'] === CBOR ? { body: inCbor(ONE) } : { body: EMPTY_ANSWER }
      expect(await textsOf(getRecords)).to.deep.equal(['abc'])
      expect(typesOf()).to.deep.equal(['cbor', 'json', 'cbor'])
    })
  })
})
