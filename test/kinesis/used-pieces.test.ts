import { createServer, IncomingMessage, request, type Server } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { expect } from 'chai'
import { receiveBody } from '../../src/kinesis/response-body.ts'
import { UsedPieces } from '../../src/kinesis/used-pieces.ts'
import { systemClock } from '../../src/runtime/clock.ts'

const LONG = 2_000_000
const WHOLE = Buffer.alloc(LONG, 'a body that says where it is')
const turn = () => new Promise(resolve => setImmediate(resolve))

describe('UsedPieces', () => {
  let server: Server
  let headers: Record<string, string | number>

  before(async () => {
    server = createServer((_, response) => {
      response.writeHead(200, headers)
      // In chunks that are shorter than what a socket brings at once, where its length is not said.
      for (let at = 0; at < LONG; at += 9_000) response.write(WHOLE.subarray(at, at + 9_000))
      response.end()
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  })

  after(() => void server.close())

  async function get(): Promise<IncomingMessage> {
    const { port } = server.address() as AddressInfo
    return new Promise((resolve, reject) =>
      request({ port, host: '127.0.0.1', agent: false }, resolve).on('error', reject).end()
    )
  }

  async function receive(stream: Readable): Promise<{ readonly body: Buffer; readonly pieces: Uint8Array[] }> {
    const pieces: Uint8Array[] = []
    const emit = stream.emit.bind(stream)
    // Not with a listener of our own: that would have the body come before anybody else listens.
    Object.assign(stream, {
      emit: (name: string, ...values: unknown[]) => {
        if (name === 'data') pieces.push(values[0] as Uint8Array)
        return emit(name, ...values)
      }
    })
    const used = new UsedPieces(systemClock)
    const body = await receiveBody(stream, {
      expectedBytes: Number.NaN,
      signal: new AbortController().signal,
      used
    })
    for (let i = 0; i < 3; i++) await turn()
    return { body, pieces }
  }

  it('lets go of pieces of a socket that are there as a whole', async () => {
    headers = { 'content-length': LONG }
    const { body, pieces } = await receive(await get())
    expect(body.equals(WHOLE)).to.equal(true)
    const gone = pieces.filter(({ byteLength }) => byteLength === 0).length
    expect(gone).to.be.above(pieces.length / 2)
  })

  it('receives what comes in chunks of the protocol', async () => {
    headers = { 'transfer-encoding': 'chunked' }
    const { body } = await receive(await get())
    expect(body.equals(WHOLE)).to.equal(true)
  })

  it('keeps pieces that are parts of a memory, which others may have a part of, and those of no socket', async () => {
    const used = new UsedPieces(systemClock)
    const memory = new ArrayBuffer(200_000)
    const stream = new IncomingMessage(new Socket()).on('data', () => {})
    used.add(stream, Buffer.from(memory, 0, 100_000))
    const ofNone = new ArrayBuffer(100_000)
    used.add(
      new IncomingMessage(null as unknown as Socket).on('data', () => {}),
      Buffer.from(ofNone)
    )
    const whole = new ArrayBuffer(100_000)
    used.add(stream, Buffer.from(whole))
    await turn()
    expect([memory, ofNone, whole].map(({ byteLength }) => byteLength)).to.deep.equal([200_000, 100_000, 0])
  })

  it('keeps pieces that somebody else listens for, too', async () => {
    headers = { 'content-length': LONG }
    const stream = await get()
    const theirs: Buffer[] = []
    stream.on('data', piece => theirs.push(piece))
    await receive(stream)
    expect(Buffer.concat(theirs).equals(WHOLE)).to.equal(true)
  })

  it('keeps pieces that come from anywhere else', async () => {
    const piece = Buffer.from(new ArrayBuffer(100_000))
    const { pieces } = await receive(Readable.from([piece]))
    expect(pieces).to.deep.equal([piece])
    expect(piece.byteLength).to.equal(100_000)
  })

  it('keeps pieces of a socket of a class of its own, as tools that stand in for the network have', async () => {
    class Mocked extends Socket {}
    const stream = new IncomingMessage(new Mocked()).on('data', () => {})
    const piece = Buffer.from(new ArrayBuffer(100_000))
    new UsedPieces(systemClock).add(stream, piece)
    await turn()
    expect(piece.byteLength).to.equal(100_000)
  })
})
