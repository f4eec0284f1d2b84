import { KinesisClient } from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { expect } from 'chai'
import { GetRecords, type GetRecordsOptions } from '../../src/kinesis/sdk-get-records.ts'
import type { Wire } from '../../src/kinesis/wire-choice.ts'
import { ServiceError } from '../../src/model/errors.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import type { Deadline } from '../../src/runtime/deadline.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { cborOf, inCbor, type MadeAnswer } from '../wire/random-answers.ts'
import { countedDeadline } from './counted-deadline.ts'
import { EMPTY_ANSWER, refusal, type ScriptedAnswer, ScriptedServer } from './scripted-server.ts'

const CBOR = 'application/x-amz-cbor-1.1'
const ARN = 'arn:aws:kinesis:eu-west-3:123456789012:stream/orders'
const NEVER = new AbortController().signal
const UNHURRIED: Deadline = { suspend: () => () => {} }
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

  let changes: [wire: Wire, because: string][]

  const calls = (wire: Wire = 'json', options: Partial<GetRecordsOptions> = {}): GetRecords => {
    changes = []
    return new GetRecords({
      ...{ client, clock: systemClock, wire },
      inTime: (signal, request) => request(signal ?? NEVER, UNHURRIED),
      errorOf: error => error,
      onWireChange: (...change) => changes.push(change),
      ...options
    })
  }

  async function textsOf(getRecords: GetRecords): Promise<string[]> {
    const { records } = await getRecords.call('it', 10, NEVER)
    return records.map(({ data }) => Buffer.from(data).toString())
  }

  const typesOf = (): string[] =>
    server.requests.map(({ headers }) => String(headers['content-type']).split('-')[2] ?? '')

  it('asks with the iterator, the limit, and the ARN of a stream that is known by it', async () => {
    await calls().call('it', 10, NEVER)
    await calls('json', { streamArn: ARN }).call('it', 10, NEVER)
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
        expect(changes.map(([wire]) => wire)).to.deep.equal(['json'])
        expect(changes[0]?.[1]).to.match(/^an? (call|answer) in CBOR /)
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
        ...[403, 407, 408, 413, 429, 503].map((status): [ScriptedAnswer, string] => [
          { status, body: '<html>' },
          'UnknownError'
        ])
      ]
      const getRecords = calls('cbor')
      for (const [answer, name] of failures) {
        server.answer = () => answer
        const failure = await getRecords.call('it', 10, NEVER).catch((error: unknown) => error)
        expect(failure).to.have.property('name', name)
      }
      expect(typesOf()).to.deep.equal(failures.map(() => 'cbor'))
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

    it('is given up at once for an endpoint whose answers in it cannot be read, even if JSON is throttled then', async () => {
      const odd = { body: inCbor(ONE, { dataOf: data => cborOf(data.toString('base64')) }) }
      for (const [answer, json, name] of [
        [odd, refusal(400, 'ProvisionedThroughputExceededException'), 'ProvisionedThroughputExceededException'],
        [odd, { status: 500 }, 'UnknownError'],
        [
          refusal(404, 'UnknownOperationException'),
          refusal(400, 'ProvisionedThroughputExceededException'),
          'ProvisionedThroughputExceededException'
        ],
        [{ status: 415 }, refusal(400, 'ExpiredIteratorException'), 'ExpiredIteratorException']
      ] satisfies [ScriptedAnswer, ScriptedAnswer, string][]) {
        server.answer = ({ headers }) => (headers['content-type'] === CBOR ? answer : json)
        const getRecords = calls('cbor')
        const failure = await getRecords.call('it', 10, NEVER).catch((error: unknown) => error)
        expect(failure).to.have.property('name', name)
        expect(getRecords.wire, name).to.equal('json')
      }
    })

    it('stays where a call was refused and the connection broke when it was made in JSON', async () => {
      server.answer = ({ headers }) =>
        headers['content-type'] === CBOR ? { status: 415 } : { body: 'x', breakOff: { after: 0, destroy: true } }
      const getRecords = calls('cbor')
      await getRecords.call('it', 10, NEVER).catch(() => {})
      expect(getRecords.wire).to.equal('cbor')
    })

    it('is tried again after an hour', async () => {
      const clock = new VirtualClock()
      let isNew = false
      server.answer = ({ headers }) => {
        if (headers['content-type'] !== CBOR) return { body: ONE_IN_JSON }
        return isNew ? { body: inCbor(ONE) } : { status: 415 }
      }
      const getRecords = calls('cbor', { clock })
      for (const isReplaced of [false, false, true]) {
        isNew = isReplaced
        await getRecords.call('it', 10, NEVER)
        await getRecords.call('it', 10, NEVER)
        await clock.advance(3_600_000)
      }
      expect(typesOf().join(' ')).to.equal('cbor json json cbor json json cbor cbor')
      expect(changes.map(([wire]) => wire)).to.deep.equal(['json', 'cbor'])
    })
  })

  it('goes through the client when something was added to it while a call was under way', async () => {
    const clock = new VirtualClock()
    server.answer = async ({ headers }) => {
      client.middlewareStack.add(next => args => next(args), { step: 'initialize', name: 'tracing', override: true })
      await clock.advance(61_000)
      return headers['content-type'] === CBOR ? { status: 415 } : { body: ONE_IN_JSON }
    }
    expect(await textsOf(calls('cbor', { clock }))).to.deep.equal(['abc'])
  })

  it('decodes outside of the time that the request has, and under the signal of the caller', async () => {
    const stop = new AbortController()
    const inTime: GetRecordsOptions['inTime'] = async (signal, request) => {
      const own = new AbortController()
      const received = await request(own.signal, UNHURRIED)
      expect(signal).to.equal(stop.signal)
      own.abort(new Error('the time is over'))
      return received
    }
    const Data = Buffer.alloc(60_000).toString('base64')
    server.answer = () => ({ body: JSON.stringify({ Records: [{ SequenceNumber: '1', Data }] }) })
    expect((await calls('json', { inTime }).call('it', 10, stop.signal)).bytes).to.equal(60_000)
  })

  for (const wire of ['json', 'cbor'] as const) {
    it(`receives many large answers that come at once, and has their time count again, in ${wire}`, async () => {
      const deadline = countedDeadline()
      const inTime: GetRecordsOptions['inTime'] = (signal, request) => request(signal ?? NEVER, deadline)
      const data = Buffer.alloc(3_000_000, 'abc')
      const record = { SequenceNumber: '1', PartitionKey: 'a', Data: data }
      const inJson = JSON.stringify({ Records: [{ ...record, Data: data.toString('base64') }] })
      const body = wire === 'json' ? inJson : inCbor({ records: [record], fields: {} })
      server.answer = () => ({ body })
      const getRecords = calls(wire, { inTime })
      const call = () => getRecords.call('it', 10, new AbortController().signal)
      const answers = await Promise.all(Array.from({ length: 12 }, call))
      expect(getRecords.wire).to.equal(wire)
      for (const { records } of answers) expect(data.equals(records[0]?.data as Uint8Array)).to.equal(true)
      expect(deadline.suspensions).to.be.at.least(12)
      expect(deadline.open).to.equal(0)
    })
  }

  it('rejects with the reason of the signal that aborts while an answer waits to be decoded', async () => {
    const Data = Buffer.alloc(60_000).toString('base64')
    server.answer = () => ({ body: JSON.stringify({ Records: [{ SequenceNumber: '1', Data }] }) })
    const stop = new AbortController()
    const reason = new Error('enough')
    const inTime: GetRecordsOptions['inTime'] = async (_, request) => {
      const received = await request(NEVER, UNHURRIED)
      stop.abort(reason)
      return received
    }
    const errorOf = () => new Error('another one')
    const failure = await calls('json', { inTime, errorOf })
      .call('it', 10, stop.signal)
      .catch((error: unknown) => error)
    expect(failure).to.equal(reason)
  })

  it('refuses what is no answer of GetRecords, in words of the caller', async () => {
    server.answer = () => ({ body: '{"message":"ok"}' })
    const errorOf = (error: unknown) => new Error(`in our words: ${(error as Error).message}`)
    const failure = await calls('json', { errorOf })
      .call('it', 10)
      .catch((error: unknown) => error)
    expect(failure)
      .to.have.property('message')
      .that.matches(/^in our words: the answer could not be read: /)
  })
})
