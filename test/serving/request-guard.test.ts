import { expect } from 'chai'
import {
  announcesBody,
  type GuardSettings,
  isLoopbackAddress,
  isToken,
  judgeRequest,
  judgeTarget
} from '../../src/serving/request-guard.ts'

const LOOPBACK: GuardSettings = { isLoopback: true, hosts: [], methods: ['GET'] }
const EVERYWHERE: GuardSettings = { isLoopback: false, hosts: ['worker.internal'], methods: ['GET'] }

function statusOf(headers: readonly string[], settings = LOOPBACK, { method = 'GET', url = '/status' } = {}): number {
  const verdict = judgeRequest({ method, url, rawHeaders: headers }, settings)
  return verdict.kind === 'pass' ? 200 : verdict.status
}

describe('judgeRequest', () => {
  it('lets through who calls this machine by its loopback address or by localhost', () => {
    for (const host of ['localhost', 'LOCALHOST:8080', '127.0.0.1:8080', '127.1.2.3', '[::1]:8080']) {
      expect(statusOf(['Host', host]), host).to.equal(200)
    }
  })

  it('refuses every other host on a loopback address: a name may have been rebound to it', () => {
    for (const host of [
      'evil.example',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      '10.0.0.1',
      '0.0.0.0',
      ''
    ]) {
      expect(statusOf(['Host', host]), host).to.equal(403)
    }
    for (const host of ['localhost:8080@evil.example', 'localhost:', 'localhost:x', 'local host', 'localhost/x']) {
      expect(statusOf(['Host', host]), host).to.equal(403)
    }
  })

  it('lets addresses through where it listens on others than loopback, and the names that it was told', () => {
    for (const host of ['10.0.0.7:8080', '[fd00::7]', 'worker.internal:8080', 'Worker.Internal', 'localhost']) {
      expect(statusOf(['Host', host], EVERYWHERE), host).to.equal(200)
    }
    for (const host of ['evil.example', 'xworker.internal', '10.0.0.7.evil.example', '1e3']) {
      expect(statusOf(['Host', host], EVERYWHERE), host).to.equal(403)
    }
  })

  it('refuses a request without a Host header, and one with two', () => {
    expect(statusOf([])).to.equal(400)
    expect(statusOf(['Host', 'localhost', 'host', 'localhost'])).to.equal(400)
  })

  it('refuses what another web page sends', () => {
    const host = ['Host', 'localhost:8080']
    expect(statusOf([...host, 'Origin', 'http://localhost:8080'])).to.equal(200)
    for (const origin of ['https://evil.example', 'null', 'http://localhost:8081', 'http://localhost', '', 'file://']) {
      expect(statusOf([...host, 'Origin', origin]), origin).to.equal(403)
    }
    expect(statusOf([...host, 'Origin', 'http://localhost:8080', 'Origin', 'https://evil.example'])).to.equal(403)
    for (const site of ['same-origin', 'none']) expect(statusOf([...host, 'Sec-Fetch-Site', site])).to.equal(200)
    for (const site of ['cross-site', 'same-site']) expect(statusOf([...host, 'Sec-Fetch-Site', site])).to.equal(403)
  })

  it('refuses other methods', () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'get', '']) {
      expect(statusOf(['Host', 'localhost'], LOOPBACK, { method }), method).to.equal(405)
    }
  })
})

describe('judgeTarget', () => {
  it('gives the path, and the query beside it', () => {
    expect(judgeTarget('/status?a=1?b')).to.deep.equal({ kind: 'pass', path: '/status', query: 'a=1?b' })
    expect(judgeTarget('/')).to.deep.equal({ kind: 'pass', path: '/', query: '' })
    expect(judgeTarget('/assets/app-1.js')).to.include({ kind: 'pass', path: '/assets/app-1.js' })
  })

  it('refuses paths that climb, or that could mean something else to the next reader', () => {
    const bad = ['/../etc/passwd', '/a/../b', '/..', '/.', '/a/./b', '//evil.example/x', '/a//b', '/%2e%2e/etc/passwd']
    for (const url of [...bad, '/..%2f', '/a\\..\\b', '/a\0', '/ä', '', '*', 'status', 'http://evil.example/status']) {
      expect(judgeTarget(url), url).to.include({ kind: 'refuse', status: 400 })
    }
  })

  it('refuses targets that are too long', () => {
    expect(judgeTarget(`/${'a'.repeat(1_023)}`)).to.include({ kind: 'pass' })
    expect(judgeTarget(`/${'a'.repeat(1_024)}`)).to.include({ kind: 'refuse', status: 414 })
    expect(judgeTarget(`/status?${'a'.repeat(1_024)}`)).to.include({ kind: 'refuse', status: 414 })
  })
})

describe('announcesBody', () => {
  it('says so of a length that is not 0, and of any transfer encoding', () => {
    expect(announcesBody(['Host', 'localhost'])).to.equal(false)
    expect(announcesBody(['Content-Length', '0'])).to.equal(false)
    expect(announcesBody(['CONTENT-LENGTH', '1'])).to.equal(true)
    expect(announcesBody(['Transfer-Encoding', 'chunked'])).to.equal(true)
  })
})

describe('isToken', () => {
  it('is true of the same token alone', () => {
    expect(isToken('secret', 'secret')).to.equal(true)
    for (const given of ['secreT', 'secret ', 'secre', '', 'secretsecret', undefined]) {
      expect(isToken(given, 'secret'), String(given)).to.equal(false)
    }
  })

  it('is never true where no token was set', () => {
    for (const given of ['', undefined]) expect(isToken(given, '')).to.equal(false)
  })
})

describe('isLoopbackAddress', () => {
  it('knows the addresses of this machine from others', () => {
    for (const host of ['127.0.0.1', '127.8.8.8', '::1', '[::1]', 'localhost']) {
      expect(isLoopbackAddress(host), host).to.equal(true)
    }
    for (const host of ['0.0.0.0', '::', '10.0.0.1', '128.0.0.1', '127.0.0.1.example', 'local']) {
      expect(isLoopbackAddress(host), host).to.equal(false)
    }
  })
})
