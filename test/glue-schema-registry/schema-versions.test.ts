import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import { PayloadError } from '../../src/glue-schema-registry/payload-decoder.ts'
import { SchemaVersions, type SchemaVersionsOptions } from '../../src/glue-schema-registry/schema-versions.ts'
import { ServiceError, ThrottledError } from '../../src/model/errors.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'
import { anError, StubGlue } from './registry.ts'

const idOf = (number: number): string => `00000000-0000-0000-0000-${String(number).padStart(12, '0')}`
const [A, B, C] = [idOf(1), idOf(2), idOf(3)]

function rig(options: Partial<SchemaVersionsOptions> = {}) {
  const clock = new VirtualClock()
  const entry = (DataFormat: string) => ({ DataFormat, SchemaDefinition: '{}' })
  const stub = new StubGlue({ [A]: entry('a'), [B]: entry('b'), [C]: entry('c') })
  const versions = new SchemaVersions(
    {
      client: stub.client,
      requestTimeoutMs: 30_000,
      maxSchemas: 2,
      unknownForMs: 10_000,
      decoderOf: format => () => format,
      ...options
    },
    { clock, random: seededRandom(1) }
  )
  const look = async (id: string): Promise<unknown> => {
    try {
      return (await versions.decoderFor(id))(new Uint8Array())
    } catch (error) {
      return error
    }
  }
  return { clock, stub, versions, look }
}

describe('SchemaVersions', () => {
  it('asks for a version once, however many want it at the same time', async () => {
    const { stub, versions, look } = rig()
    let answer = (): void => {}
    stub.until = new Promise(resolve => {
      answer = resolve
    })
    const looks = [look(A), look(A), look(B)]
    answer()
    expect(await Promise.all(looks)).to.deep.equal(['a', 'a', 'b'])
    expect(stub.asked).to.deep.equal([A, B])
    expect(versions.decoderFor(A)).to.be.a('function')
  })

  it('keeps so many, and those that were used last', async () => {
    const { stub, look } = rig()
    for (const id of [A, B, A, C, A, B]) await look(id)
    expect(stub.asked).to.deep.equal([A, B, C, B])
  })

  it('does not ask again for what is not there, until a while has passed', async () => {
    const { clock, stub, look } = rig()
    const unknown = idOf(9)
    for (let times = 0; times < 3; times++) {
      const error = await look(unknown)
      expect(error).to.be.instanceOf(PayloadError)
      expect(error).to.include({
        reason: 'unknown-schema',
        message: `the registry has no version ${unknown} of a schema`
      })
    }
    expect(stub.asked).to.have.length(1)
    stub.entries.set(unknown, { DataFormat: 'late', SchemaDefinition: '{}' })
    await clock.advance(10_000)
    expect(await look(unknown)).to.equal('late')
  })

  it('does not read a schema again that is of no use', async () => {
    let reads = 0
    const decoderOf = (): never => {
      reads += 1
      throw new PayloadError('bad-schema', 'its schema is none')
    }
    const { stub, look } = rig({ decoderOf })
    for (let times = 0; times < 3; times++) expect(await look(A)).to.have.property('reason', 'bad-schema')
    expect([reads, stub.asked.length]).to.deep.equal([1, 1])
  })

  it('asks again when it is throttled, or the registry is in trouble', async () => {
    const { clock, stub, look } = rig()
    const [throttled, broken] = [anError('ThrottlingException'), anError('InternalServiceException', 500)]
    stub.entries.set(A, throttled)
    const looked = look(A)
    await clock.advance(50)
    stub.entries.set(A, broken)
    await clock.advance(300)
    stub.entries.set(A, { DataFormat: 'a', SchemaDefinition: '{}' })
    await clock.advance(10_000)
    expect(await looked).to.equal('a')
    expect(stub.asked.length).to.be.within(3, 5)
  })

  it('gives up after a few times, and asks anew when it is wanted again', async () => {
    const { clock, stub, look } = rig()
    stub.entries.set(A, anError('ThrottlingException'))
    const looked = look(A)
    await clock.advance(60_000)
    expect(await looked).to.be.instanceOf(ThrottledError)
    const { length } = stub.asked
    stub.entries.set(A, { DataFormat: 'a', SchemaDefinition: '{}' })
    expect(await look(A)).to.equal('a')
    expect(stub.asked).to.have.length(length + 1)
  })

  it('says which permission is missing, and asks no more for that look', async () => {
    const { stub, look } = rig()
    stub.entries.set(A, anError('AccessDeniedException'))
    const error = await look(A)
    expect(error).to.be.instanceOf(ServiceError)
    expect(error).to.include({ kind: 'access-denied', retryable: false })
    expect((error as Error).message).to.match(
      /^GetSchemaVersion of 0+-.*1 was refused: expected credentials that allow glue:GetSchemaVersion \(/
    )
    expect(stub.asked).to.have.length(1)
  })

  it('bounds each call in time', async () => {
    const { clock, stub, look } = rig({ requestTimeoutMs: 1_000 })
    stub.until = new Promise(() => {})
    const looked = look(A)
    await clock.advance(60_000)
    expect(await looked).to.include({ kind: 'timeout' })
  })

  it('ends what is under way when it is closed, and leaves a client alone that is not its own', async () => {
    const { clock, stub, versions, look } = rig()
    stub.until = new Promise(() => {})
    const looked = look(A)
    await clock.advance(10)
    versions.close()
    expect(await looked).to.have.property('message', 'The decoder was closed')
    expect(stub.isDestroyed).to.equal(false)
  })

  it('speaks to the registry through the client of the SDK, and understands its errors', async () => {
    const told: string[] = []
    const answers: Readonly<Record<string, readonly [status: number, body: object]>> = {
      [A]: [200, { SchemaVersionId: A, DataFormat: 'a', SchemaDefinition: '{}', Status: 'AVAILABLE' }],
      [B]: [400, { __type: 'EntityNotFoundException', Message: 'Schema version is not found.' }],
      [C]: [
        400,
        { __type: 'AccessDeniedException', Message: 'User is not authorized to perform glue:GetSchemaVersion' }
      ]
    }
    const server = createServer(async (request, response) => {
      const { SchemaVersionId } = JSON.parse(Buffer.concat(await request.toArray()).toString())
      told.push(`${request.headers['x-amz-target']} ${SchemaVersionId}`)
      const [status, body] = answers[SchemaVersionId] ?? [500, {}]
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const credentials = { accessKeyId: 'none', secretAccessKey: 'none' }
    const { versions, look } = rig({ client: { endpoint, region: 'us-east-1', credentials } })
    try {
      expect(await look(A)).to.equal('a')
      expect(await look(B)).to.include({ reason: 'unknown-schema' })
      expect(await look(C)).to.include({ kind: 'access-denied' })
      expect(told).to.deep.equal([A, B, C].map(id => `AWSGlue.GetSchemaVersion ${id}`))
    } finally {
      versions.close()
      server.close()
      server.closeAllConnections()
    }
  })
})
