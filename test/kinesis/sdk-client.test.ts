import { KinesisClient } from '@aws-sdk/client-kinesis'
import { NodeHttpHandler } from '@smithy/node-http-handler'
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

  it('opens a connection for each shard, but for few shards two more, and 256 at most', async () => {
    const { recordsLine, expectShards, destroy } = clientInUse({ region: 'us-east-1' }, { streamName: 'o' })
    if (recordsLine === undefined) return expect.fail('there is no line')
    const server = new ScriptedServer()
    await server.listen()
    await recordsLine.handler.handle({
      protocol: 'http:',
      hostname: '127.0.0.1',
      port: Number(new URL(server.endpoint).port),
      method: 'GET',
      path: '/',
      query: {},
      headers: {}
    } as never)
    const config = recordsLine.handler as unknown as {
      httpHandlerConfigs(): { httpsAgent?: { maxSockets: number } }
    }
    for (const [count, expected] of [
      [0, 3],
      [1, 3],
      [7, 9],
      [8, 10],
      [10, 10],
      [64, 64],
      [1_000, 256]
    ] as const) {
      expectShards(count)
      expect(config.httpHandlerConfigs().httpsAgent?.maxSockets).to.equal(expected)
    }
    destroy()
    await server.close()
  })

  it('leaves a request handler that was given alone', () => {
    const requestHandler = new NodeHttpHandler()
    const { client, recordsLine, expectShards, destroy } = clientInUse(
      { requestHandler, region: 'us-east-1' },
      { streamName: 'orders' }
    )
    expect(recordsLine).to.equal(undefined)
    expectShards(1)
    expect(client.config.requestHandler).to.equal(requestHandler)
    destroy()
  })
})
