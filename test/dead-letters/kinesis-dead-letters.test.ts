import { GetRecordsCommand, GetShardIteratorCommand, KinesisClient } from '@aws-sdk/client-kinesis'
import { expect } from 'chai'
import { type KinesisDeadLettersOptions, kinesisDeadLetters } from '../../src/dead-letters/kinesis-dead-letters.ts'
import { parseDeadLetter } from '../../src/dead-letters/letter-codec.ts'
import { OptionError, ThrottledError } from '../../src/model/errors.ts'
import { refusal } from '../kinesis/scripted-server.ts'
import { sharedKinesalite } from '../support/emulators.ts'
import { createStream } from '../support/streams.ts'
import { FakePutRecords } from './fake-put-records.ts'
import { aLetter, impatient, noAbort, plain, rejection, someLetters } from './letters.ts'

describe('kinesisDeadLetters', () => {
  let kinesis: FakePutRecords
  let ports: ReturnType<typeof impatient>
  const destination = (options: Partial<KinesisDeadLettersOptions> = {}) =>
    kinesisDeadLetters({ streamName: 'dead', client: kinesis.client, ...options } as KinesisDeadLettersOptions, ports)

  beforeEach(async () => {
    ports = impatient()
    kinesis = new FakePutRecords()
    await kinesis.server.listen()
  })
  afterEach(() => kinesis.server.close())

  it('puts letters under the keys of their records, 500 or 5 MiB in a call', async () => {
    await destination().store(someLetters(1_100), noAbort())
    expect(kinesis.calls).to.deep.equal([500, 500, 100])
    expect(kinesis.records.every(({ PartitionKey }) => PartitionKey === 'customer-7')).to.equal(true)
    const data = Buffer.alloc(700_000)
    kinesis.calls.length = 0
    await destination().store(someLetters(7, { data }), noAbort())
    expect(kinesis.calls).to.deep.equal([5, 2])
  })

  it('puts only those again that were refused', async () => {
    let refusals = 3
    kinesis.refuse = record => {
      const { sequenceNumber } = parseDeadLetter(record)
      return sequenceNumber === '4' && refusals-- > 0 ? 'ProvisionedThroughputExceededException' : undefined
    }
    await destination().store(someLetters(10), noAbort())
    expect(kinesis.calls).to.deep.equal([10, 1, 1, 1])
    expect(kinesis.records).to.have.length(10)
    expect(ports.delays).to.have.length(3)
  })

  it('rejects once nothing gets through', async () => {
    kinesis.fault = () => refusal(400, 'ProvisionedThroughputExceededException')
    expect(await rejection(destination().store(someLetters(2), noAbort()))).to.be.instanceOf(ThrottledError)
    expect(kinesis.calls).to.deep.equal([2, 2, 2, 2, 2])
  })

  it('puts a letter under its sequence number if the stream would refuse the key', async () => {
    const letters = ['', 'x'.repeat(257), 'x'.repeat(256)].map(partitionKey => aLetter({ partitionKey }))
    await destination().store(letters, noAbort())
    const { sequenceNumber } = aLetter()
    expect(kinesis.records.map(({ PartitionKey }) => PartitionKey)).to.deep.equal([
      sequenceNumber,
      sequenceNumber,
      'x'.repeat(256)
    ])
    expect(plain(kinesis.records.map(({ data }) => parseDeadLetter(data)))).to.deep.equal(plain(letters))
  })

  it('refuses a letter that is too large for a record, and puts none of the call', async () => {
    const letters = [aLetter(), aLetter({ data: Buffer.alloc(1_000_000) })]
    const error = await rejection(destination().store(letters, noAbort()))
    expect(error.message).to.match(
      /^The dead letter of \d+#0 of shardId-000000000000 has 133\d{4} bytes, and stream dead takes 1048576: raise maxRecordBytes/
    )
    expect(kinesis.calls).to.deep.equal([])
    await destination({ maxRecordBytes: 10_485_760 }).store(letters, noAbort())
    expect(kinesis.calls).to.deep.equal([2])
  })

  it('refuses bad options by name', () => {
    for (const [options, problem] of [
      [{ streamName: '' }, 'Option streamName: is "", expected the name of a stream'],
      [{ streamArn: 'arn:x' }, 'Option streamArn: is given beside streamName, expected one of them'],
      [{ streamName: undefined, streamArn: 'arn:x' }, 'Option streamArn: is "arn:x", expected arn:aws:kinesis:'],
      [{ maxRecordBytes: 1 }, 'Option maxRecordBytes: is 1, expected a whole number from 1024 to 10485760'],
      [{ requestTimeoutMs: 1 }, 'Option requestTimeoutMs: is 1, expected a whole number from 100 to 300000'],
      [{ stream: 'x' }, 'Option stream: is not known; expected one of streamName, streamArn']
    ] as [object, string][]) {
      expect(() => destination(options)).to.throw(OptionError, problem)
    }
  })

  it('stores letters that can be read from kinesalite', async function () {
    this.timeout(30_000)
    const emulator = await sharedKinesalite()
    const client = new KinesisClient(emulator.clientConfig())
    const streamName = await createStream(client)
    const real = kinesisDeadLetters({ streamName, client: emulator.clientConfig() })
    const letters = someLetters(3, { data: Buffer.from([0, 255, 10]) })
    await real.store(letters, noAbort())
    await real.close?.()
    const shard = {
      StreamName: streamName,
      ShardId: 'shardId-000000000000',
      ShardIteratorType: 'TRIM_HORIZON'
    } as const
    const { ShardIterator } = await client.send(new GetShardIteratorCommand(shard))
    const { Records = [] } = await client.send(new GetRecordsCommand({ ShardIterator }))
    expect(plain(Records.map(({ Data }) => parseDeadLetter(Data ?? '')))).to.deep.equal(plain(letters))
    client.destroy()
  })
})
