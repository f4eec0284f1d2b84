// What a test of the wire of enhanced fan-out works on: a server with one stream and an active consumer, a port that talks to
// it over HTTP/2 unless told otherwise, and a clock that runs faster than the world.
import { NodeHttpHandler } from '@smithy/node-http-handler'
import type { FanOutPort, SubscriptionEvent } from '../../src/kinesis/fan-out-port.ts'
import type { IteratorStart } from '../../src/kinesis/kinesis-port.ts'
import { type SdkFanOutOptions, sdkFanOut } from '../../src/kinesis/sdk-fan-out.ts'
import type { KinesisRecord } from '../../src/model/record.ts'
import { type Clock, systemClock } from '../../src/runtime/clock.ts'
import { type FanOutServer, type FanOutServerOptions, startFanOutServer } from '../support/fan-out-server.ts'

export const STREAM = 'orders'
export const FIRST = 'shardId-000000000000'

/** A clock that runs so many times faster than the world. */
export function fasterClock(times: number): Clock {
  const { monotonicMs, epochMs, sleep } = systemClock
  const [began, beganEpoch] = [monotonicMs(), epochMs()]
  return {
    monotonicMs: () => began + (monotonicMs() - began) * times,
    epochMs: () => Math.floor(beganEpoch + (epochMs() - beganEpoch) * times),
    sleep: (ms, signal) => sleep(ms / times, signal)
  }
}

/** A server, a port to it, and what they are about. */
export interface FanOutWorld {
  readonly server: FanOutServer
  readonly port: FanOutPort
  readonly consumerArn: string
  /** Another port to the same server. Closed with the world. */
  open(options?: Partial<SdkFanOutOptions>): FanOutPort
  /** Subscribes to the first shard, from its beginning unless told otherwise. */
  subscribe(start?: IteratorStart, signal?: AbortSignal): Promise<AsyncIterable<SubscriptionEvent>>
  close(): Promise<void>
}

/** Makes a world. `times`: how much faster the time of the server is; the port's is that of the world. */
export async function fanOutWorld(
  options: Partial<SdkFanOutOptions> = {},
  { times = 100, shards = 1, ...serverOptions }: FanOutServerOptions & { times?: number; shards?: number } = {}
): Promise<FanOutWorld> {
  const server = await startFanOutServer({ clock: fasterClock(times), ...serverOptions })
  server.kinesis.createStream(STREAM, shards)
  const ports: FanOutPort[] = []
  const open = (others: Partial<SdkFanOutOptions> = {}): FanOutPort => {
    const client = { ...server.clientConfig(), requestHandler: new NodeHttpHandler() }
    const port = sdkFanOut({
      ...{ stream: { streamName: STREAM }, client, clock: systemClock, http2: true },
      ...options,
      ...others
    })
    ports.push(port)
    return port
  }
  const port = open()
  const { consumerArn } = await server.kinesis.fanOut(STREAM).registerConsumer('reader')
  // It takes a second to become active.
  await systemClock.sleep(1100 / times)
  return {
    ...{ server, port, consumerArn, open },
    subscribe: (start = { type: 'TRIM_HORIZON' }, signal) =>
      port.subscribeToShard({ consumerArn, shardId: FIRST, start, signal }),
    close: async () => {
      for (const each of ports) each.close()
      await server.close()
    }
  }
}

/** The payloads of records as text. */
export function textsOf(records: readonly KinesisRecord[]): string[] {
  return records.map(({ data }) => new TextDecoder().decode(data))
}

/** Reads events until so many records have come, then leaves. Returns their payloads as text. */
export async function take(events: AsyncIterable<SubscriptionEvent>, count: number): Promise<string[]> {
  const texts: string[] = []
  for await (const { records } of events) {
    texts.push(...textsOf(records))
    if (texts.length >= count) break
  }
  return texts
}

/** What a call, or a subscription that is read until it ends, fails with. */
export async function failureOf(of: Promise<unknown> | AsyncIterable<SubscriptionEvent>): Promise<unknown> {
  try {
    if (of instanceof Promise) await of
    else for await (const _ of of);
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}
