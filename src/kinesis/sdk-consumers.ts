// The consumers of enhanced fan-out that are registered with a stream, whoever uses them: a list for operators.
import { ListStreamConsumersCommand } from '@aws-sdk/client-kinesis'
import type { Clock } from '../runtime/clock.ts'
import { withDeadline } from '../runtime/deadline.ts'
import type { FanOutConsumer } from './fan-out-port.ts'
import { clientInUse, type KinesisClientOption, type StreamReference } from './sdk-client.ts'
import { consumerFrom } from './sdk-fan-out.ts'
import { fanOutErrorOf } from './sdk-fan-out-errors.ts'
import { kinesisTimeout } from './sdk-kinesis-errors.ts'
import { streamNameOf } from './sdk-parameters.ts'

/** Which stream, through which client, and how long one call may take. */
export interface SdkConsumersOptions {
  readonly stream: StreamReference
  readonly client?: KinesisClientOption | undefined
  readonly clock: Clock
  /** Milliseconds. */
  readonly requestTimeoutMs: number
}

/** The consumers of one stream. */
export interface ConsumerList {
  /** Every one of them. Rejects like a FanOutPort. */
  list(streamArn: string, signal?: AbortSignal): Promise<FanOutConsumer[]>
  /** Lets connections go. */
  close(): void
}

/** The list for one stream. */
export function sdkConsumers({ stream, client, clock, requestTimeoutMs }: SdkConsumersOptions): ConsumerList {
  const inUse = clientInUse(client, stream)
  const call = { name: 'ListStreamConsumers', streamName: streamNameOf(stream), shardId: undefined }
  const page = (StreamARN: string, token: string | undefined, signal: AbortSignal | undefined) =>
    withDeadline(
      clock,
      requestTimeoutMs,
      signal,
      async abortSignal => {
        try {
          const command = new ListStreamConsumersCommand({ StreamARN, ...(token && { NextToken: token }) })
          return await inUse.client.send(command, { abortSignal })
        } catch (error) {
          throw fanOutErrorOf(error, call)
        }
      },
      () => kinesisTimeout(call, requestTimeoutMs)
    )
  return {
    async list(streamArn, signal) {
      const consumers: FanOutConsumer[] = []
      let token: string | undefined
      do {
        const { Consumers = [], NextToken } = await page(streamArn, token, signal)
        consumers.push(...Consumers.map(consumerFrom))
        token = NextToken
      } while (token !== undefined)
      return consumers
    },
    close: () => inUse.destroy()
  }
}
