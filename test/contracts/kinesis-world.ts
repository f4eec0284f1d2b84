// What a check of the Kinesis port works on: the service as the test changes it, streams that are made ready, and ways to
// read them.
import { AssertionError, expect } from 'chai'
import type { IteratorStart, KinesisPort } from '../../src/kinesis/kinesis-port.ts'
import type { StreamReference } from '../../src/kinesis/sdk-kinesis.ts'
import { ServiceError, type ServiceErrorKind } from '../../src/model/errors.ts'
import type { KinesisRecord } from '../../src/model/record.ts'
import type { RecordsAnswer } from '../../src/model/records-answer.ts'
import type { PutRecord, RecordToPut } from '../support/streams.ts'

export const FIRST = 'shardId-000000000000'
export const SECOND = 'shardId-000000000001'
export const THIRD = 'shardId-000000000002'

/** A service to test against, and the hands that change it. */
export interface KinesisWorld {
  port(stream: StreamReference): KinesisPort
  /** Creates a stream, under a name of its own unless one is given, and waits until it is ACTIVE. */
  createStream(shardCount: number, name?: string): Promise<string>
  deleteStream(name: string): Promise<void>
  put(name: string, records: readonly RecordToPut[]): Promise<PutRecord[]>
  split(name: string, shardId: string): Promise<void>
  merge(name: string, shardId: string, adjacentShardId: string): Promise<void>
  epochMs(): number
  /** Lets time pass. */
  pass(ms: number): Promise<void>
}

/** Declares one check of the contract. The id is what a deviation names. */
export type Check = (id: string, title: string, body: (world: KinesisWorld) => Promise<void>) => void

/**
 * Declares a preparation that takes long: begun before the first check, so that it goes on beside the checks before its own.
 * What is returned waits for it, as often as it is called.
 */
export type Early = <T>(prepare: (world: KinesisWorld) => Promise<T>) => () => Promise<T>

/** A stream of one shard with the records a, b and c, which arrived one after the other. */
export async function threeRecords(world: KinesisWorld) {
  const name = await world.createStream(1)
  const put: PutRecord[] = []
  for (const letter of ['a', 'b', 'c']) {
    put.push(...(await world.put(name, [text(letter)])))
    // So that they arrive at different times.
    await world.pass(5)
  }
  return { name, put, port: world.port({ streamName: name }) }
}

/** A stream of one shard with one record that has been split. */
export async function splitStream(world: KinesisWorld) {
  const name = await world.createStream(1)
  const put = await world.put(name, [text('a')])
  await world.split(name, FIRST)
  return { put, port: world.port({ streamName: name }) }
}

/** A stream of two shards that have been merged. */
export async function mergedStream(world: KinesisWorld) {
  const name = await world.createStream(2)
  await world.merge(name, FIRST, SECOND)
  return { port: world.port({ streamName: name }) }
}

/** The first answer from a start. */
export async function readAt(
  port: KinesisPort,
  shardId: string,
  start: IteratorStart,
  limit = 100
): Promise<RecordsAnswer> {
  return port.getRecords(await port.getShardIterator(shardId, start), { limit })
}

/** Reads the first shard until there is no next iterator. */
export async function readToEnd(world: KinesisWorld, port: KinesisPort, start: IteratorStart) {
  return readOnToEnd(world, port, await port.getShardIterator(FIRST, start))
}

/** Reads until there is no next iterator: all records, and the last answer's children. */
export async function readOnToEnd(world: KinesisWorld, port: KinesisPort, iterator: string) {
  const records: KinesisRecord[] = []
  let next: string | undefined = iterator
  for (let read = 0; read < 100; read++) {
    const answer: RecordsAnswer = await port.getRecords(next, { limit: 100 })
    records.push(...answer.records)
    next = answer.nextIterator
    if (next === undefined) return { records, ...(answer.childShards && { childShards: answer.childShards }) }
    await world.pass(20)
  }
  throw new AssertionError('the shard does not end')
}

/** Expects a call to fail with a ServiceError of this kind. */
export async function rejectsAs(kind: ServiceErrorKind, call: Promise<unknown>): Promise<void> {
  const outcome = await call.catch((error: unknown) => error)
  expect(outcome).to.be.instanceOf(ServiceError)
  expect((outcome as ServiceError).kind).to.equal(kind)
}

/** A record of text. */
export function text(data: string): RecordToPut {
  return { partitionKey: 'key', data }
}

/** The payloads as text. */
export function textsOf(records: readonly KinesisRecord[]): string[] {
  return records.map(({ data }) => new TextDecoder().decode(data))
}
