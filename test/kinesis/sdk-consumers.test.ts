import type { KinesisClient } from '@aws-sdk/client-kinesis'
import { expect } from 'chai'
import { sdkConsumers } from '../../src/kinesis/sdk-consumers.ts'
import { ServiceError } from '../../src/model/errors.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const ARN = 'arn:aws:kinesis:us-east-1:000000000000:stream/clicks'

/** A list through a client that answers so. */
function listing(send: (input: Record<string, unknown>) => unknown) {
  const sent: Record<string, unknown>[] = []
  const client = {
    config: {},
    middlewareStack: { clone: () => undefined },
    destroy: () => {},
    send: async ({ input }: { input: Record<string, unknown> }) => {
      sent.push(input)
      return send(input)
    }
  } as unknown as KinesisClient
  const list = sdkConsumers({
    stream: { streamName: 'clicks' },
    client,
    clock: new VirtualClock(),
    requestTimeoutMs: 5_000
  })
  return { list, sent }
}

describe('sdkConsumers', () => {
  it('has every consumer, page by page', async () => {
    const consumer = (name: string) => ({
      ...{ ConsumerName: name, ConsumerARN: `${ARN}/consumer/${name}`, ConsumerStatus: 'ACTIVE' },
      ConsumerCreationTimestamp: new Date(1_000)
    })
    const { list, sent } = listing(({ NextToken }) =>
      NextToken === undefined ? { Consumers: [consumer('a')], NextToken: 'more' } : { Consumers: [consumer('b')] }
    )
    const consumers = await list.list(ARN)
    expect(consumers.map(({ consumerName }) => consumerName)).to.deep.equal(['a', 'b'])
    expect(consumers[0]).to.deep.include({ status: 'ACTIVE', createdAtMs: 1_000 })
    expect(sent).to.deep.equal([{ StreamARN: ARN }, { StreamARN: ARN, NextToken: 'more' }])
    list.close()
  })

  it('rejects in words of ours', async () => {
    const { list } = listing(() => {
      throw Object.assign(new Error('no'), { name: 'AccessDeniedException', $metadata: { httpStatusCode: 400 } })
    })
    const error = await list.list(ARN).catch((thrown: unknown) => thrown)
    expect(error).to.be.instanceOf(ServiceError).and.have.property('kind', 'access-denied')
  })
})
