import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { expect } from 'chai'
import { type EmulatedService, makeStream, startDynamo, startKinesis } from '../../src/cli/emulators.ts'
import { sdkKinesis } from '../../src/kinesis/sdk-kinesis.ts'
import { sdkPutRecords } from '../../src/kinesis/sdk-put-records.ts'
import { ServiceError } from '../../src/model/errors.ts'
import { systemClock } from '../../src/runtime/clock.ts'

const ANY = { port: 0, host: '127.0.0.1' }

describe('startKinesis', () => {
  let service: EmulatedService
  const client = () => ({
    endpoint: service.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' }
  })

  beforeEach(async () => {
    service = await startKinesis(ANY, systemClock)
  })

  afterEach(() => service.close())

  it('starts a Kinesis with streams that are made at once', async () => {
    await makeStream(service.endpoint, { streamName: 'orders', shards: 3 }, systemClock)
    const kinesis = sdkKinesis({ stream: { streamName: 'orders' }, client: client(), clock: systemClock })
    expect(await kinesis.listShards()).to.have.lengthOf(3)
    kinesis.close()
    const again = await makeStream(service.endpoint, { streamName: 'orders', shards: 3 }, systemClock).catch(e => e)
    expect(again).to.be.instanceOf(ServiceError)
    expect(again.message).to.include('ResourceInUse')
  })

  it('answers who wants to read from a time on after which there is nothing, and skips nothing that comes then', async () => {
    await makeStream(service.endpoint, { streamName: 'orders', shards: 1 }, systemClock)
    const kinesis = sdkKinesis({ stream: { streamName: 'orders' }, client: client(), clock: systemClock })
    const put = sdkPutRecords({ stream: { streamName: 'orders' }, client: client(), clock: systemClock })
    const asking = kinesis.getShardIterator('shardId-000000000000', {
      type: 'AT_TIMESTAMP',
      timestampMs: systemClock.epochMs() - 1_000
    })
    // While it is looked whether there is anything.
    await systemClock.sleep(50)
    await put.putRecords([{ partitionKey: 'k', data: Buffer.from('x') }])
    const { records } = await kinesis.getRecords(await asking, { limit: 10 })
    expect(records.map(({ data }) => Buffer.from(data).toString())).to.deep.equal(['x'])
    kinesis.close()
    put.close()
  })

  it('survives a request that is cut off in the middle', async () => {
    const socket = connect(Number(new URL(service.endpoint).port), '127.0.0.1')
    await once(socket, 'connect')
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{')
    await systemClock.sleep(20)
    socket.destroy()
    await systemClock.sleep(20)
    await makeStream(service.endpoint, { streamName: 'orders', shards: 1 }, systemClock)
  })

  it('says whose port is taken, and what to install if it is missing', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const taken = await startKinesis({ port, host: '127.0.0.1' }, systemClock).catch(error => error)
    other.close()
    expect(taken).to.include({ kind: 'in-use' })
    expect(taken.message).to.equal(
      `kinesalite could not listen on 127.0.0.1, port ${port}: somebody else listens there already`
    )
    const missing = await startKinesis(ANY, systemClock, () => {
      throw new Error('Cannot find module')
    }).catch(error => error)
    expect(missing.message).to.equal(
      'kinesalite is missing here. Install the emulators first: npm install -D kinesalite dynalite'
    )
  })
})

describe('startDynamo', () => {
  it('starts a DynamoDB', async () => {
    const service = await startDynamo(ANY)
    expect((await fetch(service.endpoint)).status).to.equal(200)
    await service.close()
    expect(await fetch(service.endpoint).catch(() => 'gone')).to.equal('gone')
  })
})
