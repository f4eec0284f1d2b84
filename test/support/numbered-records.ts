// Numbered records of a world that need a place: in a certain shard, or inside of an aggregate.
import { expect } from 'chai'
import { aggregate } from '../../src/index.ts'
import { isClosed } from '../../src/model/shard.ts'
import { shardId } from './builders.ts'
import { STREAM, type World } from './world.ts'

const utf8 = new TextEncoder()

/** Puts a numbered record into the open shard of that number. The key is the shard's. */
export function putInto(world: World, shardNumber: number): number {
  const shard = world.kinesis.shards(STREAM).find(each => each.shardId === shardId(shardNumber))
  if (shard === undefined || isClosed(shard)) throw new Error(`${shardNumber} is not open`)
  const key = `of shard ${shardNumber}`
  const id = world.ledger.produce(key)
  world.kinesis.put(STREAM, key, String(id), { explicitHashKey: shard.hashKeyRange.start })
  return id
}

/** Puts `count` numbered records into every open shard, and returns their numbers by that of the shard. */
export function putIntoAll(world: World, count = 1): Map<number, number[]> {
  const open = world.kinesis.shards(STREAM).filter(shard => !isClosed(shard))
  return new Map(
    open.map(shard => {
      const number = Number(shard.shardId.slice(-12))
      return [number, Array.from({ length: count }, () => putInto(world, number))]
    })
  )
}

/** Puts one Kinesis record that has `count` numbered ones in it. Says where it went, and their numbers. */
export function putAggregate(
  world: World,
  count: number,
  keyOf = (_: number): string => 'key'
): { readonly sequenceNumber: string; readonly ids: number[] } {
  const ids = Array.from({ length: count }, (_, i) => world.ledger.produce(keyOf(i)))
  const records = ids.map((id, i) => ({ partitionKey: keyOf(i), data: utf8.encode(String(id)) }))
  const { partitionKey, explicitHashKey, data } = aggregate(records)
  const { sequenceNumber } = world.kinesis.put(STREAM, partitionKey, data, { explicitHashKey })
  return { sequenceNumber, ids }
}

/** The numbers of the records that were delivered, in that order, with repetitions. */
export function deliveredIds(world: World, where: { worker?: string; shardId?: string } = {}): number[] {
  return world.ledger.deliveries
    .filter(({ worker }) => where.worker === undefined || worker === where.worker)
    .filter(({ shardId: id }) => where.shardId === undefined || id === where.shardId)
    .map(({ id }) => id)
}

/** Expects that nothing is missing, and no record came before an earlier one of its key or of a parent of its shard. */
export function expectInOrder(world: World): void {
  const { ledger, seed } = world
  expect(ledger.missing(), `SEED=${seed}: missing`).to.deep.equal([])
  expect(ledger.outOfOrder(), `SEED=${seed}: out of order`).to.deep.equal([])
  const known = new Map<string, number[]>()
  const ids = (id: string): number[] => {
    const texts = known.has(id)
      ? []
      : world.kinesis.records(STREAM, id).map(({ data }) => new TextDecoder().decode(data))
    const found = known.get(id) ?? texts.map(Number).filter(id => Number.isInteger(id) && id >= 0)
    known.set(id, found)
    return found
  }
  const ahead = ledger.aheadOfParents(world.kinesis.shards(STREAM), ids)
  expect(ahead, `SEED=${seed}: before their parents were done`).to.deep.equal([])
}

/** Expects that everything came once, in order. */
export function expectOnce(world: World): void {
  expectInOrder(world)
  expect(world.ledger.duplicates(), `SEED=${world.seed}: duplicates`).to.deep.equal([])
}
