// Over real sockets: what a client that means no good can send is told byte by byte.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { expect } from 'chai'
import { OptionError, ServiceError } from '../../src/model/errors.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { type HealthEndpoint, type HealthOptions, serveHealth } from '../../src/serving/health-endpoint.ts'
import type { WorkerHealth } from '../../src/worker/health-rules.ts'

const SECRET = '4111 1111 1111 1111'
const RED: WorkerHealth = {
  color: 'red',
  state: 'running',
  paused: false,
  shards: [
    {
      shardId: 'shardId-000000000001',
      streamName: 'orders',
      color: 'red',
      state: 'halted',
      paused: false,
      reason: `halted: Unexpected token in "${SECRET}"`,
      haltedBy: 'ProcessorError, caused by SyntaxError'
    }
  ]
}
const GREEN: WorkerHealth = { color: 'green', state: 'running', paused: false, shards: [] }

describe('serveHealth', () => {
  let health: WorkerHealth
  let endpoint: HealthEndpoint
  const open: Socket[] = []

  const serve = async (
    options: HealthOptions = {},
    limits: NonNullable<Parameters<typeof serveHealth>[2]>['limits'] = {}
  ): Promise<void> => {
    await endpoint?.close()
    endpoint = await serveHealth({ workerId: 'worker-1', health: () => health }, { port: 0, ...options }, { limits })
  }

  beforeEach(async () => {
    health = GREEN
    await serve()
  })

  afterEach(async () => {
    for (const socket of open.splice(0)) socket.destroy()
    await endpoint.close()
  })

  const dial = (): Socket => {
    const { port } = new URL(endpoint.url)
    const socket = connect(Number(port), '127.0.0.1').setEncoding('latin1')
    socket.on('error', () => {}) // a reset is one of the ways to be refused
    open.push(socket)
    return socket
  }

  /** Everything that comes back until the other side ends the connection. */
  const exchange = async (bytes: string): Promise<string> => {
    const socket = dial()
    let answer = ''
    socket.on('data', text => {
      answer += text
    })
    socket.write(bytes, 'latin1')
    await once(socket, 'close')
    return answer
  }

  /** A request with exactly these lines, and `Connection: close` behind them. */
  const ask = (first: string, ...headers: readonly string[]): Promise<string> =>
    exchange([first, ...headers, 'Connection: close', '', ''].join('\r\n'))

  const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1])
  const get = async (path: string): Promise<{ status: number; body: unknown }> => {
    const answer = await fetch(endpoint.url + path)
    return { status: answer.status, body: await answer.json() }
  }

  it('is on this machine only, unless said otherwise', async () => {
    expect(new URL(endpoint.url).hostname).to.equal('127.0.0.1')
  })

  it('answers /livez, /readyz and /status as the worker is doing', async () => {
    expect(await get('/livez')).to.deep.equal({ status: 200, body: { live: true, state: 'running' } })
    expect((await get('/readyz')).status).to.equal(200)
    health = RED
    expect((await get('/livez')).status).to.equal(200)
    const ready = await get('/readyz')
    expect(ready.status).to.equal(503)
    const reason = 'halted: ProcessorError, caused by SyntaxError'
    expect(ready.body).to.deep.include({ ready: false, shards: [{ shardId: 'shardId-000000000001', reason }] })
    expect((await get('/status')).body).to.deep.include({ workerId: 'worker-1', color: 'red' })
  })

  it('never tells what user code threw, which may quote a payload', async () => {
    health = { ...RED, state: 'stopped', reason: SECRET, failedBy: 'ProcessorError' }
    for (const path of ['/livez', '/readyz', '/status']) {
      const text = await (await fetch(endpoint.url + path)).text()
      expect(text, path).to.include('ProcessorError')
      expect(text, path).to.not.include('4111')
    }
  })

  it('serves the metrics that it was given, and none otherwise', async () => {
    expect((await get('/metrics')).status).to.equal(404)
    await serve({ metrics: { contentType: 'text/plain; version=0.0.4', text: async () => 'up 1\n' } })
    const answer = await fetch(`${endpoint.url}/metrics`)
    expect(answer.headers.get('content-type')).to.equal('text/plain; version=0.0.4')
    expect(await answer.text()).to.equal('up 1\n')
  })

  it('answers 500, without saying what, if the metrics fail or take too long', async () => {
    await serve({
      metrics: {
        contentType: 'text/plain',
        text: () => {
          throw new Error(SECRET)
        }
      }
    })
    expect(await get('/metrics')).to.deep.equal({ status: 500, body: { error: 'this could not be answered' } })
    await serve({ metrics: { contentType: 'text/plain', text: () => new Promise(() => {}) } }, { metricsMs: 20 })
    expect((await get('/metrics')).status).to.equal(500)
  })

  it('has its answers kept, framed and guessed at by nobody', async () => {
    const { headers } = await fetch(`${endpoint.url}/status`)
    expect(headers.get('cache-control')).to.equal('no-store')
    expect(headers.get('x-content-type-options')).to.equal('nosniff')
    expect(headers.get('content-security-policy')).to.include("default-src 'none'")
    expect(headers.get('access-control-allow-origin')).to.equal(null)
    expect(headers.get('content-type')).to.equal('application/json; charset=utf-8')
  })

  it('refuses a wrong Host, none, and two', async () => {
    expect(statusOf(await ask('GET /status HTTP/1.1', 'Host: localhost'))).to.equal(200)
    expect(statusOf(await ask('GET /status HTTP/1.1', 'Host: rebound.example'))).to.equal(403)
    expect(statusOf(await ask('GET /status HTTP/1.1'))).to.equal(400)
    expect(statusOf(await ask('GET /status HTTP/1.0'))).to.equal(400)
    expect(statusOf(await ask('GET /status HTTP/1.1', 'Host: localhost', 'Host: rebound.example'))).to.equal(400)
  })

  it('lets the address of a pod through where it listens everywhere, but no name that it was not told', async () => {
    await serve({ host: '0.0.0.0', hosts: ['Worker.Internal'] })
    for (const host of ['10.1.2.3:8080', 'worker.internal', 'localhost']) {
      expect(statusOf(await ask('GET /livez HTTP/1.1', `Host: ${host}`)), host).to.equal(200)
    }
    expect(statusOf(await ask('GET /livez HTTP/1.1', 'Host: rebound.example'))).to.equal(403)
  })

  it('refuses a wrong Origin and what a browser calls cross-site', async () => {
    const host = `Host: ${new URL(endpoint.url).host}`
    expect(statusOf(await ask('GET /status HTTP/1.1', host, `Origin: ${endpoint.url}`))).to.equal(200)
    for (const header of ['Origin: https://evil.example', 'Origin: null', 'Sec-Fetch-Site: cross-site']) {
      expect(statusOf(await ask('GET /status HTTP/1.1', host, header)), header).to.equal(403)
    }
  })

  it('answers GET and HEAD only', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE']) {
      const answer = await ask(`${method} /status HTTP/1.1`, 'Host: localhost')
      expect(statusOf(answer), method).to.equal(405)
      expect(answer).to.match(/^Allow: GET, HEAD\r$/m)
    }
    const head = await ask('HEAD /status HTTP/1.1', 'Host: localhost')
    expect(statusOf(head)).to.equal(200)
    expect(head.split('\r\n\r\n')[1]).to.equal('')
    // What Node does not take for HTTP, or would hand over to another protocol, never gets here.
    expect(statusOf(await ask('BREW /status HTTP/1.1', 'Host: localhost'))).to.equal(400)
    expect(await ask('CONNECT evil.example:443 HTTP/1.1', 'Host: localhost')).to.equal('')
  })

  it('refuses paths that climb, other paths, and targets of other servers', async () => {
    const host = 'Host: localhost'
    for (const path of ['/../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '//status', '/status/..', '/a/..%5c..']) {
      expect(statusOf(await ask(`GET ${path} HTTP/1.1`, host)), path).to.equal(400)
    }
    expect(statusOf(await ask('GET http://evil.example/status HTTP/1.1', host))).to.equal(400)
    for (const path of ['/', '/status/', '/Status', '/package.json', '/metrics/x']) {
      expect(statusOf(await ask(`GET ${path} HTTP/1.1`, host)), path).to.equal(404)
    }
    expect(statusOf(await ask('GET /livez?verbose HTTP/1.1', host))).to.equal(200)
  })

  it('refuses what is too large: the target, the head, a body', async () => {
    const host = 'Host: localhost'
    expect(statusOf(await ask(`GET /${'a'.repeat(2_000)} HTTP/1.1`, host))).to.equal(414)
    expect(statusOf(await ask('GET /status HTTP/1.1', host, `X: ${'a'.repeat(9_000)}`))).to.equal(431)
    expect(statusOf(await ask(`GET /${'a'.repeat(20_000)} HTTP/1.1`, host))).to.equal(431)
    expect(statusOf(await ask('GET /status HTTP/1.1', host, 'Content-Length: 1000000'))).to.equal(413)
    expect(statusOf(await ask('GET /status HTTP/1.1', host, 'Transfer-Encoding: chunked'))).to.equal(413)
    const both = await ask('POST /status HTTP/1.1', host, 'Transfer-Encoding: chunked', 'Content-Length: 5')
    expect(statusOf(both)).to.equal(400)
  })

  it('ends the connection of who sends a head byte by byte, and of who sends nothing', async () => {
    await serve({}, { requestMs: 60, idleMs: 150, lookEveryMs: 20 })
    const slow = dial()
    const gone = once(slow, 'close')
    const startMs = systemClock.monotonicMs()
    let isGone = false
    void gone.then(() => {
      isGone = true
    })
    slow.resume().write('GET /status HTTP/1.1\r\nHost: localhost\r\n')
    for (let i = 0; i < 200 && !isGone; i++) {
      slow.write(`X-${i}: a\r\n`)
      await systemClock.sleep(10)
    }
    expect(isGone, `after ${systemClock.monotonicMs() - startMs} ms`).to.equal(true)
    await once(dial().resume(), 'close')
    // The others are served meanwhile and after.
    expect((await get('/livez')).status).to.equal(200)
  })

  it('takes so many connections at a time, and no more', async () => {
    await serve({}, { maxConnections: 2 })
    const held = [dial(), dial()]
    await Promise.all(held.map(socket => once(socket, 'connect')))
    const third = dial().resume()
    await once(third, 'close')
    held[0]?.destroy()
    held[1]?.destroy()
  })

  it('says whose port it is that is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const error = await serveHealth({ health: () => health }, { port }).catch(refusal => refusal)
    other.close()
    expect(error).to.be.instanceOf(ServiceError)
    expect(error).to.include({ kind: 'in-use' })
    expect(error.message).to.include(`127.0.0.1, port ${port}`)
  })

  it('says what is wrong with an option', async () => {
    const source = { health: () => health }
    for (const [options, message] of [
      [{ port: 70_000 }, 'Option port: is 70000, expected a whole number from 0 to 65,535'],
      [{ host: 'a b' }, 'Option host: is "a b", expected an address to listen on'],
      [{ hosts: ['worker:80'] }, 'Option hosts[0]: is "worker:80", expected the name of a host, without a port'],
      [
        { hots: [] },
        'Option hots: is not known (it is an array); expected one of port, host, hosts, metrics. Did you mean hosts?'
      ]
    ] as const) {
      const error = await serveHealth(source, options as HealthOptions).catch(refusal => refusal)
      expect(error).to.be.instanceOf(OptionError)
      expect(error.message).to.equal(message)
    }
    const notOne = await serveHealth({} as never).catch(refusal => refusal)
    expect(notOne.message).to.equal('Option worker: is an object, expected a Worker (without a method: health)')
  })

  it('is closed once, by whoever asks first, and answers nobody after', async () => {
    await Promise.all([endpoint.close(), endpoint.close()])
    await endpoint[Symbol.asyncDispose]()
    expect(await fetch(`${endpoint.url}/livez`).catch(() => 'refused')).to.equal('refused')
  })
})
