import { expect } from 'chai'
import { KeyLanes, type LaneBatch } from '../../src/consumer/key-lanes.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { seeds } from '../support/seeds.ts'

const ALL = { maxRecords: Number.POSITIVE_INFINITY, maxBytes: Number.POSITIVE_INFINITY, windowMs: 0 }

interface Item {
  readonly name: string
  readonly bytes: number
}

function an(name: string, bytes = 1): Item {
  return { name, bytes }
}

function itemsOf(batch: LaneBatch<Item> | undefined): string[] | undefined {
  return batch?.items.map(({ name }) => name)
}

describe('KeyLanes', () => {
  it('gives one call at a time the records of a key, in order', () => {
    const lanes = new KeyLanes<Item>({ ...ALL, maxRecords: 1 })
    for (const item of ['a1', 'b1', 'a2']) lanes.add(item[0], an(item), 0)
    const [a, b] = [lanes.take(0), lanes.take(0)]
    expect([itemsOf(a), itemsOf(b), itemsOf(lanes.take(0))]).to.deep.equal([['a1'], ['b1'], undefined])
    if (a) lanes.finish(a)
    expect(itemsOf(lanes.take(0))).to.deep.equal(['a2'])
    expect(lanes.queued).to.equal(0)
  })

  it('gives any number of calls what has no key', () => {
    const lanes = new KeyLanes<Item>({ ...ALL, maxRecords: 1 })
    for (const item of ['1', '2', '3']) lanes.add(undefined, an(item), 0)
    expect([lanes.take(0), lanes.take(0), lanes.take(0)].map(itemsOf)).to.deep.equal([['1'], ['2'], ['3']])
  })

  it('cuts a batch at the most records, and before the most bytes, but gives one record in any case', () => {
    for (const [limits, sizes, expected] of [
      [{ ...ALL, maxRecords: 2 }, [1, 1, 1], 2],
      [{ ...ALL, maxBytes: 10 }, [4, 6, 1], 2],
      [{ ...ALL, maxBytes: 10 }, [4, 7, 1], 1],
      [{ ...ALL, maxBytes: 10 }, [50, 1], 1],
      [ALL, [1, 1, 1], 3]
    ] as const) {
      const lanes = new KeyLanes<Item>(limits)
      for (const [index, bytes] of sizes.entries()) lanes.add('key', an(String(index), bytes), 0)
      expect(itemsOf(lanes.take(0))).to.have.length(expected)
    }
  })

  it('waits for a window, unless there is as much as may be, and says until when', () => {
    const lanes = new KeyLanes<Item>({ ...ALL, maxRecords: 2, windowMs: 100 })
    lanes.add('a', an('a1'), 0)
    lanes.add('b', an('b1'), 50)
    expect(lanes.take(60)).to.equal(undefined)
    expect(lanes.dueMs()).to.equal(100)
    lanes.add('b', an('b2'), 60)
    expect(itemsOf(lanes.take(60))).to.deep.equal(['b1', 'b2'])
    expect(itemsOf(lanes.take(100))).to.deep.equal(['a1'])
    expect(lanes.dueMs()).to.equal(undefined)
  })

  it('waits no longer once it is flushed, and again once it may linger', () => {
    const lanes = new KeyLanes<Item>({ ...ALL, windowMs: 100 })
    lanes.add('a', an('a1'), 0)
    lanes.flush()
    expect(itemsOf(lanes.take(0))).to.deep.equal(['a1'])
    lanes.linger()
    lanes.add('b', an('b1'), 0)
    expect(lanes.take(0)).to.equal(undefined)
  })

  it('takes back what a call has left, before everything else of its key', () => {
    const lanes = new KeyLanes<Item>({ ...ALL, maxRecords: 2 })
    for (const item of ['a1', 'a2', 'a3']) lanes.add('a', an(item), 0)
    const batch = lanes.take(0)
    if (batch) lanes.finish(batch, batch.items.slice(1))
    expect(itemsOf(lanes.take(0))).to.deep.equal(['a2', 'a3'])
  })

  it('is due by the lane that has waited longest, also where that comes out of a call', () => {
    const lanes = new KeyLanes<Item>({ ...ALL, maxRecords: 2, windowMs: 100 })
    for (const item of ['a1', 'a2', 'a3']) lanes.add('a', an(item), 0)
    const batch = lanes.take(0)
    lanes.add('b', an('b1'), 50)
    lanes.add('c', an('c1'), 60)
    expect(lanes.dueMs()).to.equal(150)
    if (batch) lanes.finish(batch)
    expect(lanes.dueMs()).to.equal(100)
    expect(itemsOf(lanes.take(100))).to.deep.equal(['a3'])
    lanes.add('c', an('c2'), 110)
    expect(itemsOf(lanes.take(110))).to.deep.equal(['c1', 'c2'])
    expect(lanes.dueMs()).to.equal(150)
  })

  it('drops what is not to be kept, and the lane of what is abandoned', () => {
    const lanes = new KeyLanes<Item>({ ...ALL, maxRecords: 1 })
    for (const item of ['a1', 'a2', 'b1', 'c1']) lanes.add(item[0], an(item), 0)
    lanes.keep(({ name }) => name !== 'c1')
    const a = lanes.take(0)
    if (a) lanes.abandon(a)
    expect(itemsOf(lanes.take(0))).to.deep.equal(['b1'])
    expect(lanes.take(0)).to.equal(undefined)
    expect(lanes.queued).to.equal(0)
  })

  it('loses nothing, doubles nothing and keeps the order of each key, whatever is done', () => {
    for (const seed of seeds(200)) {
      const random = seededRandom(seed)
      const windowMs = random.next() < 0.5 ? 0 : 20
      const lanes = new KeyLanes<Item>({ maxRecords: 1 + Math.floor(random.next() * 3), maxBytes: 50, windowMs })
      const taken: LaneBatch<Item>[] = []
      const done = new Map<string, number[]>()
      let added = 0
      for (let nowMs = 0; nowMs < 200; nowMs++) {
        const key = `k${Math.floor(random.next() * 5)}`
        if (random.next() < 0.5) lanes.add(key, an(`${key} ${added++}`, Math.floor(random.next() * 30)), nowMs)
        const batch = random.next() < 0.5 ? lanes.take(nowMs) : undefined
        if (batch) taken.push(batch)
        const over = random.next() < 0.4 ? taken.splice(Math.floor(random.next() * taken.length), 1)[0] : undefined
        if (over === undefined) continue
        const settled = Math.floor(random.next() * (over.items.length + 1))
        for (const { name } of over.items.slice(0, settled)) note(name)
        lanes.finish(over, over.items.slice(settled))
      }
      for (const batch of taken) {
        for (const { name } of batch.items) note(name)
        lanes.finish(batch)
      }
      lanes.flush()
      for (let batch = lanes.take(1_000); batch; batch = lanes.take(1_000)) {
        for (const { name } of batch.items) note(name)
        lanes.finish(batch)
      }
      const numbers = [...done.values()]
      expect(
        numbers.flat().sort((a, b) => a - b),
        `SEED=${seed}`
      ).to.deep.equal(Array.from({ length: added }, (_, i) => i))
      for (const each of numbers) expect(each, `SEED=${seed}`).to.deep.equal([...each].sort((a, b) => a - b))

      function note(item: string): void {
        const [key = '', number] = item.split(' ')
        done.set(key, [...(done.get(key) ?? []), Number(number)])
      }
    }
  })
})
