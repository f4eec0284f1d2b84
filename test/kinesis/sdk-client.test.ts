import { KinesisClient } from '@aws-sdk/client-kinesis'
import { expect } from 'chai'
import { clientInUse } from '../../src/kinesis/sdk-client.ts'
import { ScriptedServer } from './scripted-server.ts'

describe('clientInUse', () => {
  it('is the client that was given, as it is', () => {
    const given = new KinesisClient({ region: 'us-east-1' })
    const { client, isOurs, expectShards } = clientInUse(given, { streamName: 'orders' })
    expect(client).to.equal(given)
    expect(isOurs).to.equal(false)
    expectShards(1)
    given.destroy()
  })

  it('makes one attempt, unless told otherwise', async () => {
    for (const [given, attempts] of [
      [undefined, 1],
      [{ maxAttempts: 4 }, 4]
    ] as const) {
      const { client, isOurs } = clientInUse(given, { streamName: 'orders' })
      expect(await client.config.maxAttempts()).to.equal(attempts)
      expect(isOurs).to.equal(true)
      client.destroy()
    }
  })

  it('opens a connection at least, and 256 at most', async () => {
    const server = new ScriptedServer()
    await server.listen()
    const credentials = { accessKeyId: 'AKID', secretAccessKey: 'secret' }
    const { client, expectShards } = clientInUse(
      { endpoint: server.endpoint, credentials, region: 'us-east-1' },
      { streamName: 'o' }
    )
    const config = client.config.requestHandler as { httpHandlerConfigs(): { httpsAgent?: { maxSockets: number } } }
    await client.config.requestHandler.handle({
      protocol: 'http:',
      hostname: '127.0.0.1',
      port: Number(new URL(server.endpoint).port),
      method: 'GET',
      path: '/',
      query: {},
      headers: {}
    } as never)
    for (const [count, expected] of [
      [0, 1],
      [7, 7],
      [1_000, 256]
    ] as const) {
      expectShards(count)
      expect(config.httpHandlerConfigs().httpsAgent?.maxSockets).to.equal(expected)
    }
    client.destroy()
    await server.close()
  })
})
