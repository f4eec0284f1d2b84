// A server on the loopback interface that says what a test tells it, and remembers what it was asked. It is where the direct way
// of GetRecords ends in these tests.
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request that came. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** What to answer. */
export interface ScriptedAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** Sends this much of the body and no more, and leaves the connection open, or destroys it. */
  readonly breakOff?: { readonly after: number; readonly destroy: boolean }
}

/** Answers as `answer` says, which may be replaced at any time. */
export class ScriptedServer {
  /** In the order in which they came. */
  readonly requests: SeenRequest[] = []
  /** How many connections were opened. */
  connections = 0
  answer: (request: SeenRequest) => ScriptedAnswer | Promise<ScriptedAnswer> = () => ({ body: EMPTY_ANSWER })
  readonly #server: Server

  constructor() {
    this.#server = createServer((request, response) => {
      const pieces: Buffer[] = []
      request.on('error', () => {})
      request.on('data', (piece: Buffer) => pieces.push(piece))
      request.on('end', async () => {
        const { method = '', url: path = '', headers } = request
        const seen = { method, path, headers, body: Buffer.concat(pieces) }
        this.requests.push(seen)
        const { status = 200, headers: own = {}, body = '', breakOff } = await this.answer(seen)
        const bytes = Buffer.from(body)
        const type = { 'content-type': String(headers['content-type']), 'content-length': String(bytes.length) }
        response.writeHead(status, { ...type, ...own })
        if (breakOff === undefined) return void response.end(bytes)
        response.write(bytes.subarray(0, breakOff.after), () => breakOff.destroy && response.destroy())
      })
    })
    this.#server.on('connection', () => {
      this.connections += 1
    })
  }

  /** Where it listens. */
  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async listen(): Promise<void> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve))
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise(resolve => this.#server.close(resolve))
  }
}

/** An answer of an idle shard, in JSON. */
export const EMPTY_ANSWER = '{"Records":[],"NextShardIterator":"next","MillisBehindLatest":0}'

/** An answer that refuses, in JSON. */
export function refusal(status: number, type: string, message = 'words of the service'): ScriptedAnswer {
  return { status, body: JSON.stringify({ __type: type, message }) }
}
