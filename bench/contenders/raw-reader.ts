// As fast as it gets by hand with what Node.js brings: node:http, a signature, JSON.parse and Buffer.from. Aggregates are
// taken apart by the de-aggregator of Millrace, with the check of the hash keys that the worker makes too.

import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto'
import { Agent, type IncomingMessage, request } from 'node:http'
import { HttpRequest } from '@smithy/core/protocols'
import { SignatureV4 } from '@smithy/signature-v4'
import type { KinesisRecord } from '../../src/model/record.ts'
import { type Deaggregate, loadDeaggregator } from '../library.ts'
import { streamNameOf } from '../source/streams.ts'
import { CREDENTIALS, LOOP_SHARDS, LOOPS, REGION } from './client-options.ts'
import type { Load } from './contender.ts'
import type { Meter } from './meter.ts'

interface RawRecord {
  readonly ApproximateArrivalTimestamp: number
  readonly Data: string
  readonly PartitionKey: string
  readonly SequenceNumber: string
}

/** Reads in loops until the process ends. */
export async function runRawReader(load: Load, meter: Meter): Promise<void> {
  const call = rawCalls(load.http1)
  const streamName = streamNameOf(load.payload, LOOP_SHARDS)
  const { Shards } = (await call('ListShards', { StreamName: streamName })) as { Shards: { ShardId: string }[] }
  const hashKeyRange = { start: 0n, end: 2n ** 120n - 1n }
  const deaggregate = load.payload === 'kpl' ? await loadDeaggregator(load.library, { hashKeyRange }) : undefined
  const iterators = await Promise.all(
    Shards.map(async ({ ShardId }) => {
      const start = { StreamName: streamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' }
      return ((await call('GetShardIterator', start)) as { ShardIterator: string }).ShardIterator
    })
  )
  const loop = async (own: string[]): Promise<void> => {
    for (let i = 0; ; i = (i + 1) % own.length) {
      const answer = (await call('GetRecords', { ShardIterator: own[i], Limit: 10_000 })) as {
        NextShardIterator: string
        Records: RawRecord[]
      }
      own[i] = answer.NextShardIterator
      touch(answer.Records, deaggregate, meter)
    }
  }
  for (let i = 0; i < LOOPS; i++) {
    loop(iterators.filter((_, shard) => shard % LOOPS === i)).catch(error => {
      console.error(error)
      process.exit(1)
    })
  }
}

function touch(raw: readonly RawRecord[], deaggregate: Deaggregate | undefined, meter: Meter): void {
  const records: KinesisRecord[] = raw.map(record => ({
    sequenceNumber: record.SequenceNumber,
    partitionKey: record.PartitionKey,
    data: Buffer.from(record.Data, 'base64'),
    arrivedAtMs: record.ApproximateArrivalTimestamp * 1000
  }))
  const users = deaggregate?.(records) ?? records
  let touched = 0
  for (const { partitionKey, data } of users) touched += partitionKey.length + data.length
  meter.add(users.length, touched)
}

/** Calls Kinesis without the SDK's client. Rejects where the answer is not 200. */
function rawCalls(endpoint: string): (operation: string, input: object) => Promise<unknown> {
  const { hostname, port } = new URL(endpoint)
  const agent = new Agent({ keepAlive: true })
  const signer = new SignatureV4({ credentials: CREDENTIALS, region: REGION, service: 'kinesis', sha256: Sha256 })
  return async (operation, input) => {
    const body = JSON.stringify(input)
    const headers = {
      host: `${hostname}:${port}`,
      'content-type': 'application/x-amz-json-1.1',
      'content-length': String(Buffer.byteLength(body)),
      'x-amz-target': `Kinesis_20131202.${operation}`
    }
    const unsigned = { protocol: 'http:', method: 'POST', hostname, port: Number(port), path: '/', headers, body }
    const signed = await signer.sign(new HttpRequest(unsigned))
    return new Promise((resolve, reject) => {
      const options = { agent, hostname, port, method: 'POST', path: '/', headers: signed.headers }
      const sending = request(options, response => receive(response, operation, resolve, reject))
      sending.on('error', reject)
      sending.end(body)
    })
  }
}

function receive(
  response: IncomingMessage,
  operation: string,
  resolve: (answer: unknown) => void,
  reject: (error: Error) => void
): void {
  const chunks: Buffer[] = []
  response.on('data', chunk => chunks.push(chunk))
  response.on('error', reject)
  response.on('end', () => {
    const text = Buffer.concat(chunks).toString()
    if (response.statusCode === 200) resolve(JSON.parse(text))
    else reject(new Error(`${operation} was answered with ${response.statusCode}: ${text}`))
  })
}

/** SHA-256 as the signer wants it. */
class Sha256 {
  readonly #hash: Hash | Hmac

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as string)
  }

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk)
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest()
  }

  reset(): void {
    throw new Error('The signer makes a new hash each time')
  }
}
