// Over real sockets: what a browser sends, and byte by byte what somebody sends who means no good.
import { EventEmitter, once } from 'node:events'
import { connect } from 'node:net'
import { expect } from 'chai'
import { type Dashboard, type DashboardLimits, serveDashboard } from '../../src/dashboard/dashboard.ts'
import type { DashboardOptions } from '../../src/dashboard/dashboard-options.ts'
import { NOTHING_READ, readEvents } from '../../src/dashboard/event-stream-rules.ts'
import type { Frame } from '../../src/dashboard/snapshot.ts'
import { foldFrame, type View } from '../../src/dashboard/view-state.ts'
import { OptionError, ServiceError } from '../../src/model/errors.ts'
import { type Clock, systemClock } from '../../src/runtime/clock.ts'
import { DashboardFleetDouble, idOf } from '../support/dashboard-fleet.ts'

const TOKEN = 'correct-horse-battery-staple'
const PASS = { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'application/json' }

/** A page that reads its stream. */
class Page {
  view: View | undefined
  readonly frames: Frame[] = []
  lastId = ''
  readonly response: Response
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #decoder = new TextDecoder()
  #rest = NOTHING_READ

  constructor(response: Response) {
    if (response.body === null) throw new Error('There is no stream')
    this.response = response
    this.#reader = response.body.getReader()
  }

  /** Reads until it is as wanted. */
  async until(find: (page: Page) => boolean): Promise<void> {
    while (!find(this)) {
      const { done, value } = await this.#reader.read()
      if (done) throw new Error('The stream ended')
      const { events, rest } = readEvents(this.#rest, this.#decoder.decode(value, { stream: true }))
      this.#rest = rest
      for (const { id, data } of events) {
        const frame: Frame = JSON.parse(data)
        this.frames.push(frame)
        this.view = foldFrame(this.view, frame)
        this.lastId = id
      }
    }
  }

  /** Whether it ends. */
  async ends(): Promise<boolean> {
    for (;;) if ((await this.#reader.read().catch(() => ({ done: true }))).done) return true
  }

  leave(): Promise<void> {
    return this.#reader.cancel()
  }
}

/** Real time that knows how much waits for it. */
class CountingClock implements Clock {
  waiting = 0
  readonly #emptied = new EventEmitter()

  monotonicMs(): number {
    return systemClock.monotonicMs()
  }

  epochMs(): number {
    return systemClock.epochMs()
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.waiting++
    await systemClock.sleep(ms, signal)
    if (--this.waiting === 0) this.#emptied.emit('emptied')
  }

  async whenNothingWaits(): Promise<void> {
    if (this.waiting > 0) await once(this.#emptied, 'emptied')
  }
}

describe('serveDashboard', () => {
  let fleet: DashboardFleetDouble
  let clock: CountingClock
  let dashboard: Dashboard
  const pages: Page[] = []

  const serve = async (options: DashboardOptions = {}, limits: Partial<DashboardLimits> = {}): Promise<void> => {
    await dashboard?.close()
    dashboard = await serveDashboard(fleet, { port: 0, everyMs: 500, ...options }, { limits, clock })
  }

  beforeEach(async () => {
    fleet = new DashboardFleetDouble({ shards: 8, workers: 2 })
    clock = new CountingClock()
    await serve()
  })

  afterEach(async () => {
    await Promise.all(pages.splice(0).map(page => page.leave().catch(() => {})))
    await dashboard.close()
  })

  const ask = (path: string, init: RequestInit = {}): Promise<Response> => fetch(new URL(path, dashboard.url), init)
  const open = async (headers: Record<string, string> = {}): Promise<Page> => {
    const page = new Page(await ask('api/stream', { headers }))
    pages.push(page)
    return page
  }
  const act = (body: object, headers: Record<string, string> = PASS): Promise<Response> =>
    ask('api/actions', { method: 'POST', headers, body: JSON.stringify(body) })

  /** Everything that comes back until the other side ends the connection. */
  const exchange = async (bytes: string): Promise<string> => {
    const socket = connect(Number(new URL(dashboard.url).port), '127.0.0.1').setEncoding('latin1')
    socket.on('error', () => {}) // a reset is one of the ways to be refused
    let text = ''
    socket.on('data', (data: string) => {
      text += data
    })
    socket.write(bytes)
    await once(socket, 'close')
    return text
  }
  const head = (...lines: readonly string[]): string => `${lines.join('\r\n')}\r\n\r\n`

  describe('the page', () => {
    it('is served with its scripts and style, under a policy that allows nothing else', async () => {
      for (const path of ['', 'dashboard-page/main.js', 'dashboard-page/page.css', 'dashboard/view-state.js']) {
        const response = await ask(path)
        expect(response.status, path).to.equal(200)
        expect((await response.text()).length, path).to.be.greaterThan(100)
        const policy = response.headers.get('content-security-policy') ?? ''
        expect(policy).to.match(/^default-src 'none'; script-src 'self'; style-src 'self'/)
        expect(policy).to.include("frame-ancestors 'none'").and.include("require-trusted-types-for 'script'")
        expect(policy).to.not.include('unsafe')
        expect(response.headers.get('x-content-type-options')).to.equal('nosniff')
        expect(response.headers.get('referrer-policy')).to.equal('no-referrer')
        expect(response.headers.get('cache-control')).to.equal('no-store')
        expect(response.headers.get('set-cookie')).to.equal(null)
      }
    })

    it('answers a HEAD without the content', async () => {
      const response = await ask('', { method: 'HEAD' })
      expect(Number(response.headers.get('content-length'))).to.be.greaterThan(100)
      expect(await response.text()).to.equal('')
    })
  })

  describe('the stream', () => {
    it('begins with all that is known, and goes on with what differs', async () => {
      const page = await open()
      expect(page.response.headers.get('content-type')).to.equal('text/event-stream; charset=utf-8')
      await page.until(({ frames }) => frames.length >= 4)
      const [first, second, ...others] = page.frames
      expect(first?.kind).to.equal('full')
      expect(second?.kind).to.equal('change')
      expect(page.view?.shards.size).to.equal(8)
      expect(page.view?.facts?.app).to.equal('click-counter')
      expect(JSON.stringify(others.at(-1)).length).to.be.lessThan(JSON.stringify(second).length)
      const late = await open()
      await late.until(({ frames }) => frames.length > 0)
      expect(late.frames[0]).to.have.property('snapshot')
      expect(late.view?.shards.size).to.equal(8)
    })

    it('looks once for all who watch, and not at all while nobody does', async () => {
      expect(fleet.looks).to.equal(0)
      const [one, two] = [await open(), await open()]
      await one.until(() => fleet.looks >= 2)
      const { looks } = fleet
      await two.until(({ frames }) => frames.length >= 3)
      expect(fleet.looks - looks).to.be.lessThan(4)
      expect(clock.waiting).to.be.greaterThan(0)
      await Promise.all([one.leave(), two.leave()])
      // Where nothing waits, there is nothing that would look later.
      await clock.whenNothingWaits()
      const after = fleet.looks
      await clock.sleep(0)
      expect([clock.waiting, fleet.looks]).to.deep.equal([0, after])
    })

    it('sends a page that comes back only what it missed', async () => {
      const page = await open()
      const other = await open()
      await page.until(({ frames }) => frames.length >= 2)
      const { lastId } = page
      await page.leave()
      await other.until(({ frames }) => frames.length >= 5)
      const again = await open({ 'Last-Event-ID': lastId })
      await again.until(({ lastId: id }) => id !== '' || again.frames.length > 0).catch(() => {})
      expect(again.frames[0]?.kind).to.equal('change')
    })

    it('sends all of it to a page that comes with a place that is not known', async () => {
      for (const id of ['elsewhere-3', 'x'.repeat(200), '../../etc/passwd']) {
        const page = await open({ 'Last-Event-ID': id })
        await page.until(({ frames }) => frames.length > 0)
        expect(page.frames[0]?.kind).to.equal('full')
      }
    })

    it('shows that the line is there while nothing happens', async () => {
      await serve({ everyMs: 600_000, lag: false }, { heartbeatMs: 20 })
      const response = await ask('api/stream')
      const reader = response.body?.getReader()
      let text = ''
      while (!text.includes(': still here\n\n: still here')) {
        const { value } = (await reader?.read()) ?? {}
        text += new TextDecoder().decode(value)
      }
      await reader?.cancel()
    })

    it('has room for so many pages', async () => {
      await serve({ maxViewers: 2 })
      await open()
      await open()
      const response = await ask('api/stream')
      expect(response.status).to.equal(503)
      expect(await response.json()).to.deep.equal({
        error: 'there are 2 pages open already, which is as many as may be'
      })
    })

    it('tells once that the fleet cannot be looked at, and that it can again', async () => {
      const page = await open()
      await page.until(({ view }) => view?.facts !== undefined)
      fleet.failure = new ServiceError('other', 'the table is away', { retryable: true })
      await page.until(({ view }) => view?.facts?.problem !== undefined)
      expect(page.view?.facts?.problem).to.equal('the table is away')
      expect(page.view?.shards.size).to.equal(8)
      fleet.failure = undefined
      await page.until(({ view }) => view?.facts?.problem === undefined)
      expect(page.view?.events.map(({ text }) => text).join()).to.match(
        /cannot be looked at: the table is away.*again, after/
      )
    })

    it('ends when the dashboard is closed', async () => {
      const page = await open()
      await page.until(({ frames }) => frames.length > 0)
      const ending = page.ends()
      await dashboard.close()
      expect(await ending).to.equal(true)
    })
  })

  describe('actions', () => {
    beforeEach(() => serve({ token: TOKEN }))

    it('are carried out with the token, and told to everybody', async () => {
      const page = await open()
      const response = await act({ kind: 'pause', why: 'a migration', shardIds: [idOf(1)] })
      expect(response.status).to.equal(202)
      await page.until(({ view }) => view?.operations[0]?.state === 'done')
      const [call = []] = fleet.calls
      expect(call.slice(0, 1)).to.deep.equal(['pause'])
      expect(call[1])
        .to.include({ why: 'a migration' })
        .and.have.deep.property('shardIds', [idOf(1)])
      expect(page.view?.operations[0]).to.include({ what: 'pause shard 1', told: 'shard 1 paused' })
      await page.until(({ view }) => view?.events.some(({ topic }) => topic === 'operation') === true)
      expect(page.view?.events.find(({ topic }) => topic === 'operation')).to.include({
        mood: 'good',
        text: 'pause shard 1 is done: shard 1 paused'
      })
    })

    it('are all that a fleet can be steered by', async () => {
      const page = await open()
      for (const body of [
        { kind: 'reset', position: 'LATEST' },
        { kind: 'reset', position: { at: '2026-01-31T08:00:00Z' } },
        { kind: 'reset', position: { sequenceNumber: '49', subSequenceNumber: 2 }, shardIds: [idOf(3)] },
        { kind: 'release' },
        { kind: 'resume', shardIds: [idOf(1)] },
        { kind: 'move', shardId: idOf(0), workerId: 'web-2' }
      ]) {
        expect((await act(body)).status).to.equal(202)
        await page.until(({ view }) => view?.operations.every(({ state }) => state === 'done') === true)
      }
      expect(fleet.calls.map(([name, first]) => [name, first]).slice(0, 3)).to.deep.equal([
        ['reset', 'LATEST'],
        ['reset', new Date('2026-01-31T08:00:00Z')],
        ['reset', { sequenceNumber: '49', subSequenceNumber: 2 }]
      ])
      expect(fleet.calls.map(([name]) => name).slice(3)).to.deep.equal(['release', 'resume', 'move'])
    })

    it('are called off on demand, and when the dashboard is closed', async () => {
      fleet.waiting = new Promise(() => {})
      const page = await open()
      const first: unknown = await (await act({ kind: 'release' })).json()
      expect(first).to.deep.equal({ id: 'op-1' })
      await act({ kind: 'release' })
      const response = await ask('api/call-off', { method: 'POST', headers: PASS, body: JSON.stringify(first) })
      expect(response.status).to.equal(202)
      await page.until(({ view }) => view?.operations[0]?.state === 'failed')
      expect(page.view?.operations.map(({ state }) => state)).to.deep.equal(['failed', 'running'])
      const again = await ask('api/call-off', { method: 'POST', headers: PASS, body: JSON.stringify(first) })
      expect(again.status).to.equal(404)
      await dashboard.close() // which waits until the other one has let go
    })

    it('are few at once', async () => {
      fleet.waiting = new Promise(() => {})
      for (let n = 0; n < 4; n++) expect((await act({ kind: 'release' })).status).to.equal(202)
      expect((await act({ kind: 'release' })).status).to.equal(409)
    })

    for (const body of [
      ...['', 'null', '[]', '"reset"', '{"kind":"reset"}', '{"kind":"destroy"}', '{"kind":"release","shardIds":[]}'],
      ...[
        '{"kind":"release","shardIds":[7]}',
        '{"kind":"release","all":true}',
        '{"kind":"move","shardId":"a b","workerId":"w"}'
      ],
      ...[
        '{"kind":"reset","position":{"at":"yesterday"}}',
        '{"kind":"pause","why":"a\\nb"}',
        '{"__proto__":{"kind":"release"}}'
      ]
    ]) {
      it(`are refused if they are ${body === '' ? 'nothing' : body}`, async () => {
        const response = await ask('api/actions', { method: 'POST', headers: PASS, body })
        expect(response.status).to.equal(400)
        expect(fleet.calls).to.deep.equal([])
      })
    }
  })

  describe('its guards', () => {
    const REQUEST = ['POST /api/actions HTTP/1.1', 'Host: localhost', `Authorization: Bearer ${TOKEN}`]
    const JSON_BODY = ['Content-Type: application/json', 'Content-Length: 18', '', '{"kind":"release"}']
    const statusOf = async (bytes: string): Promise<string> => (await exchange(bytes)).slice(9, 12)

    beforeEach(() => serve({ token: TOKEN }, { requestMs: 300, lookEveryMs: 50, idleMs: 400, maxBody: 1_000 }))

    afterEach(() => expect(fleet.calls).to.deep.equal([]))

    for (const path of ['/', '/api/stream', '/dashboard-page/main.js']) {
      it(`refuse another host for ${path}`, async () => {
        for (const host of [
          'evil.example',
          'localhost.evil.example',
          '127.0.0.1.nip.io',
          '10.0.0.1',
          'a:b@localhost'
        ]) {
          expect(await statusOf(head(`GET ${path} HTTP/1.1`, `Host: ${host}`, 'Connection: close'))).to.equal('403')
        }
      })
    }

    it('refuse requests of other web pages, whatever they know', async () => {
      const lines = (...more: readonly string[]): string => [...REQUEST, ...more, ...JSON_BODY].join('\r\n')
      for (const origin of ['http://evil.example', 'null', 'http://localhost:1', 'https://localhost.evil.example']) {
        expect(await statusOf(lines(`Origin: ${origin}`)), origin).to.equal('403')
      }
      for (const site of ['cross-site', 'same-site']) {
        expect(await statusOf(lines(`Sec-Fetch-Site: ${site}`)), site).to.equal('403')
      }
    })

    it('refuse actions without the token, or with another one', async () => {
      for (const Authorization of [
        '',
        'Bearer',
        'Bearer wrong',
        `Basic ${TOKEN}`,
        `Bearer ${TOKEN}x`,
        `Bearer ${TOKEN.slice(1)}`
      ]) {
        const response = await act({ kind: 'release' }, { ...PASS, Authorization })
        expect(response.status, Authorization).to.equal(401)
        expect(await response.text()).to.not.include(TOKEN)
      }
      const { Authorization: _, ...others } = PASS
      expect((await act({ kind: 'release' }, others)).status).to.equal(401)
      expect((await act({ kind: 'release' }, { ...others, Cookie: `token=${TOKEN}` })).status).to.equal(401)
      expect(
        (await ask(`api/actions?token=${TOKEN}`, { method: 'POST', headers: others, body: '{"kind":"release"}' }))
          .status
      ).to.equal(401)
    })

    it('refuse actions of a dashboard that was started without a token, whatever is sent', async () => {
      await serve()
      const response = await act({ kind: 'release' })
      expect(response.status).to.equal(403)
      const page = await open(PASS)
      await page.until(({ frames }) => frames.length > 0)
      expect(page.view?.page.canAct).to.equal(false)
    })

    it('refuse actions that a form or a simple request of another page could send', async () => {
      for (const type of [
        'text/plain',
        'application/x-www-form-urlencoded',
        'multipart/form-data',
        'application/json, text/plain'
      ]) {
        expect((await act({ kind: 'release' }, { ...PASS, 'Content-Type': type })).status, type).to.equal(415)
      }
      for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS']) {
        const response = await ask('api/actions', { method, headers: { Authorization: `Bearer ${TOKEN}` } })
        expect(response.status, method).to.be.oneOf([404, 405])
      }
    })

    it('refuse bodies that are too large, have no length, or are packed', async () => {
      expect((await act({ kind: 'release', shardIds: [idOf(1), 'x'.repeat(1_000)] })).status).to.equal(413)
      const chunked = [
        ...REQUEST,
        'Content-Type: application/json',
        'Transfer-Encoding: chunked',
        '',
        '12',
        '{"kind":"release"}',
        '0',
        '',
        ''
      ]
      expect(await statusOf(chunked.join('\r\n'))).to.equal('411')
      expect((await act({ kind: 'release' }, { ...PASS, 'Content-Encoding': 'gzip' })).status).to.equal(415)
      expect(await statusOf(head('GET / HTTP/1.1', 'Host: localhost', 'Content-Length: 5'))).to.equal('413')
      expect(await statusOf(head('GET / HTTP/1.1', 'Host: localhost', `X: ${'x'.repeat(9_000)}`))).to.equal('431')
    })

    it('end requests that come too slowly: the head, and the body', async () => {
      expect(await statusOf('GET / HTTP/1.1\r\nHost: loc')).to.be.oneOf(['408', ''])
      const slow = [...REQUEST, 'Content-Type: application/json', 'Content-Length: 18', '', '{"kind":']
      expect(await statusOf(slow.join('\r\n'))).to.be.oneOf(['408', ''])
    })

    it('refuse paths that climb, and know no other files', async () => {
      const climbing = [
        '/../package.json',
        '/dashboard-page/../../package.json',
        '/%2e%2e/package.json',
        '//etc/passwd',
        '/dashboard\\..\\x'
      ]
      for (const path of climbing)
        expect(await statusOf(head(`GET ${path} HTTP/1.1`, 'Host: localhost', 'Connection: close')), path).to.equal(
          '400'
        )
      for (const path of [
        '/package.json',
        '/dashboard/dashboard.js',
        '/dashboard-page/',
        '/dashboard/token.js',
        '/api'
      ]) {
        expect(await statusOf(head(`GET ${path} HTTP/1.1`, 'Host: localhost', 'Connection: close')), path).to.equal(
          '404'
        )
      }
    })

    it('let a page read without the token, on an address that this machine alone reaches', async () => {
      const page = await open()
      await page.until(({ frames }) => frames.length > 0)
      expect(page.view?.page.canAct).to.equal(false)
      const other = await open(PASS)
      await other.until(({ frames }) => frames.length > 0)
      expect(other.view?.page.canAct).to.equal(true)
    })
  })

  describe('on an address that others reach', () => {
    it('is not served without a token', async () => {
      const problem = await serveDashboard(fleet, { port: 0, host: '0.0.0.0' }).catch(error => error)
      expect(problem).to.be.instanceOf(OptionError)
      expect(problem.message).to.match(/token: is missing/)
    })

    it('tells nothing without the token but the page itself', async () => {
      await serve({ host: '0.0.0.0', token: TOKEN })
      const { port } = new URL(dashboard.url)
      const base = `http://127.0.0.1:${port}/`
      expect((await fetch(base)).status).to.equal(200)
      const response = await fetch(`${base}api/stream`)
      expect(response.status).to.equal(401)
      const stream = await fetch(`${base}api/stream`, { headers: PASS })
      expect(stream.status).to.equal(200)
      await stream.body?.cancel()
    })
  })

  it('says where it is, and where with the token', async () => {
    expect(dashboard.url).to.match(/^http:\/\/127\.0\.0\.1:\d+\/$/)
    expect(dashboard.urlWithToken).to.equal(undefined)
    await serve({ token: TOKEN })
    expect(dashboard.urlWithToken).to.equal(`${dashboard.url}#token=${TOKEN}`)
  })

  it('says that somebody else listens there', async () => {
    const port = Number(new URL(dashboard.url).port)
    const problem = await serveDashboard(fleet, { port }).catch(error => error)
    expect(problem).to.be.instanceOf(ServiceError).and.include({ kind: 'in-use' })
  })

  it('wants a fleet', async () => {
    const problem = await serveDashboard({} as never).catch(error => error)
    expect(problem).to.be.instanceOf(OptionError)
  })
})
