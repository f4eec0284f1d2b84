import { createServer } from 'node:http'
import { expect } from 'chai'
import { ServiceError } from '../../src/model/errors.ts'
import { closeServer, listen, urlOf } from '../../src/serving/listening.ts'

describe('listen', () => {
  it('resolves when the server is where urlOf() says, until it is closed', async () => {
    const server = createServer((_, response) => response.end('here'))
    await listen('The page', server, 0, '127.0.0.1')
    const url = urlOf(server)
    expect(url).to.match(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(await (await fetch(url)).text()).to.equal('here')
    await closeServer(server)
    expect(server.listening).to.equal(false)
  })

  it('says what could not listen, and where, if somebody else listens there', async () => {
    const [server, other] = [createServer(), createServer()]
    await listen('The page', server, 0, '127.0.0.1')
    const port = Number(new URL(urlOf(server)).port)
    const error = await listen('The page', other, port, '127.0.0.1').catch(thrown => thrown)
    expect(error).to.be.instanceOf(ServiceError)
    expect(error).to.include({ kind: 'in-use', retryable: true })
    expect(error.message).to.equal(
      `The page could not listen on 127.0.0.1, port ${port}: somebody else listens there already`
    )
    await closeServer(server)
  })
})
