import { expect } from 'chai'
import type { ConsumedRecord } from '../../src/model/record.ts'
import { type CountedWindows, ShardWindows } from '../../src/windows/shard-windows.ts'
import { type ClosingWindow, resolveWindows, type TumblingWindowsOptions } from '../../src/windows/window-options.ts'
import { aPosition } from '../support/builders.ts'
import { aRecord, numberOf, SHARD, WINDOW_MS } from './window-world.ts'

const { signal } = new AbortController()

function rig(options: Partial<TumblingWindowsOptions<number[]>> = {}) {
  const closings: ClosingWindow<number[]>[] = []
  const counts: CountedWindows = { records: 0, late: 0, closed: 0, closeFailures: 0 }
  const resolved = resolveWindows<number[]>({
    windowMs: WINDOW_MS,
    timeOf: record => Number(record.text().split(' ')[1]),
    open: () => [],
    add: (numbers, record) => void numbers.push(numberOf(record)),
    close: closing => void closings.push(closing),
    ...options
  })
  const windows = new ShardWindows(resolved, counts, {
    shardId: SHARD,
    fencingToken: 1,
    stored: undefined,
    memo: undefined
  })
  return { windows, closings, counts }
}

/** Records with numbers from 0, at these seconds. */
const at = (...seconds: number[]): ConsumedRecord[] => seconds.map((second, number) => aRecord(number, second * 1_000))

describe('ShardWindows', () => {
  it('gathers records by window, and closes one when a record of a later one comes', async () => {
    const { windows, closings } = rig()
    await windows.add(at(0, 30, 59, 60, 119, 240), signal)
    expect(closings.map(({ signal: _, ...closing }) => closing)).to.deep.equal([
      {
        ...{
          id: `${SHARD}/0`,
          shardId: SHARD,
          fencingToken: 1,
          window: { startMs: 0, endMs: 60_000 },
          state: [0, 1, 2]
        },
        ...{ records: 3, late: 0, last: aPosition(1_000_002), reason: 'complete' }
      },
      {
        ...{
          id: `${SHARD}/60000`,
          shardId: SHARD,
          fencingToken: 1,
          window: { startMs: 60_000, endMs: 120_000 },
          state: [3, 4]
        },
        ...{ records: 2, late: 0, last: aPosition(1_000_004), reason: 'complete' }
      }
    ])
    expect([windows.size, windows.checkpoint]).to.deep.equal([1, aPosition(1_000_004)])
  })

  it('waits with a window for records out of order, as long as it is told to', async () => {
    const { windows, closings } = rig({ allowedLatenessMs: 20_000 })
    await windows.add(at(0, 70, 50, 79, 80, 55), signal)
    expect(closings.map(({ state }) => state)).to.deep.equal([[0, 2]])
    await windows.closeTo(Number.POSITIVE_INFINITY, 'shard-end', signal)
    expect(closings.map(({ state, late, reason }) => ({ state, late, reason }))[1]).to.deep.equal({
      ...{ state: [1, 3, 4, 5], late: 1, reason: 'shard-end' }
    })
  })

  it('drops late records, or gives them to a function, and counts them', async () => {
    const dropping = rig({ late: 'drop' })
    await dropping.windows.add(at(0, 70, 50), signal)
    expect(dropping.counts).to.include({ records: 2, late: 1 })

    const given: unknown[] = []
    const telling = rig({ late: async (record, late) => void given.push([numberOf(record), late]) })
    await telling.windows.add(at(0, 70, 50), signal)
    expect(given).to.deep.equal([[2, { window: { startMs: 0, endMs: 60_000 }, shardId: SHARD }]])
    expect(telling.windows.handled).to.deep.equal(aPosition(1_000_002))
  })

  it('has a state as it was before the batch when a record fails, and the whole batch again', async () => {
    let fails = true
    const { windows, closings, counts } = rig({
      add: (numbers, record) => {
        numbers.push(numberOf(record))
        if (numberOf(record) === 3 && fails) throw new Error('the third')
      }
    })
    const records = at(0, 1, 2, 3, 4)
    await windows.add(records.slice(0, 2), signal)
    const failure = await windows.add(records.slice(2), signal).catch(error => error.message)
    expect(failure).to.equal('the third')
    expect(windows.handled).to.deep.equal(aPosition(1_000_001))
    fails = false
    await windows.add(records.slice(2), signal)
    await windows.closeTo(WINDOW_MS, 'complete', signal)
    expect(closings[0]?.state).to.deep.equal([0, 1, 2, 3, 4])
    expect(counts.records).to.equal(5)
  })

  it('leaves out records that it has, also those of a batch of which more comes', async () => {
    const { windows, closings } = rig()
    const records = at(0, 1, 2, 3)
    await windows.add(records.slice(0, 3), signal)
    await windows.add(records, signal)
    await windows.closeTo(WINDOW_MS, 'complete', signal)
    expect(closings[0]?.state).to.deep.equal([0, 1, 2, 3])
  })

  it('closes again with the same state when a close has failed, and adds nothing twice', async () => {
    let fails = true
    const states: number[][] = []
    const { windows, counts } = rig({
      close: ({ state }) => {
        states.push([...state])
        state.length = 0
        if (fails) throw new Error('no database')
      }
    })
    const records = at(0, 1, 60)
    expect(await windows.add(records, signal).catch(error => error.message)).to.equal('no database')
    fails = false
    await windows.add(records, signal)
    expect(states).to.deep.equal([
      [0, 1],
      [0, 1]
    ])
    expect(counts).to.deep.equal({ records: 3, late: 0, closed: 1, closeFailures: 1 })
  })

  it('takes what add returns for the state, now or later', async () => {
    for (const add of [
      (numbers: number[], record: ConsumedRecord) => [...numbers, numberOf(record)],
      async (numbers: number[], record: ConsumedRecord) => [...numbers, numberOf(record)]
    ]) {
      const { windows, closings } = rig({ add, copy: state => state })
      await windows.add(at(0, 1), signal)
      await windows.add(at(0, 1, 2), signal)
      await windows.closeTo(WINDOW_MS, 'complete', signal)
      expect(closings[0]?.state).to.deep.equal([0, 1, 2])
    }
  })

  it('does not wait for code that goes on when its signal has aborted, and forgets what that does', async () => {
    const states: number[][] = []
    let release = (): void => {}
    let isSlow = true
    const { windows, closings } = rig({
      add: async (numbers, record) => {
        states.push(numbers)
        if (isSlow) await new Promise<void>(resolve => (release = resolve))
        numbers.push(numberOf(record))
      }
    })
    const own = new AbortController()
    const adding = windows.add(at(0, 1), own.signal).catch(error => error.message)
    own.abort(new Error('took too long'))
    expect(await adding).to.equal('took too long')
    isSlow = false
    await windows.add(at(0, 1), signal)
    release()
    await Promise.resolve()
    await windows.closeTo(WINDOW_MS, 'complete', signal)
    expect(closings[0]?.state).to.deep.equal([0, 1])
  })

  it('has the checkpoint pass a record that was given up before the first one of a window', async () => {
    const { windows } = rig({
      add: (numbers, record) => {
        if (numberOf(record) === 1) throw new Error('poison')
        numbers.push(numberOf(record))
      }
    })
    const records = at(0, 60, 61, 62)
    await windows.add(records.slice(0, 1), signal)
    for (let n = 0; n < 2; n++)
      expect(await windows.add(records.slice(1, 2), signal).catch(() => 'fails')).to.equal('fails')
    await windows.add(records.slice(2), signal)
    expect(windows.checkpoint).to.deep.equal(aPosition(1_000_001))
  })

  it('refuses a state that it cannot copy with the first record', async () => {
    class Sketch {}
    const { windows } = rig({ open: () => new Sketch() as unknown as number[] })
    expect(await windows.add(at(0), signal).catch(error => error.option)).to.equal('copy')
  })
})
