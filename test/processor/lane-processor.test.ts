import { expect } from 'chai'
import { BugError } from '../../src/model/errors.ts'
import { ConsumedRecord } from '../../src/model/record.ts'
import { LaneProcessor } from '../../src/processor/lane-processor.ts'
import type { ProcessRecordsInput } from '../../src/processor/record-processor.ts'
import { NAMES } from '../support/builders.ts'

const RECORDS = [1, 2].map(
  number => new ConsumedRecord({ sequenceNumber: String(number), partitionKey: 'k', data: new Uint8Array() })
)

function anInput(records = RECORDS) {
  let asked = 0
  const { signal } = new AbortController()
  const input = {
    ...{ shardId: 'shard', ...NAMES, records, millisBehindLatest: 5, failures: 2, fencingToken: 9 },
    checkpointer: {} as ProcessRecordsInput['checkpointer'],
    settle: () => {},
    get signal() {
      asked += 1
      return signal
    }
  }
  return { input, signal, asked: () => asked }
}

describe('LaneProcessor', () => {
  it('gives each its record, with what it may know of it', async () => {
    const { input, signal } = anInput(RECORDS.slice(0, 1))
    const seen: unknown[] = []
    const processor = new LaneProcessor({
      kind: 'each',
      each: async (record, context) => {
        seen.push(record, { ...context })
      }
    })
    expect(processor.recordsPerCall).to.equal(1)
    expect(await processor.processRecords(input)).to.equal(undefined)
    expect(seen).to.deep.equal([RECORDS[0], { shardId: 'shard', ...NAMES, millisBehindLatest: 5, failures: 2, signal }])
  })

  it('passes over nothing', () => {
    const each = new LaneProcessor({ kind: 'each', each: () => expect.fail('called') })
    expect(each.processRecords(anInput([]).input)).to.equal(undefined)
    expect(() => each.processRecords(anInput().input)).to.throw(BugError, /not 2/)
  })

  it('gives a handler all of them, with all there is, and passes on what it returns', async () => {
    const { input, signal } = anInput()
    const { records, checkpointer, settle } = input
    const processor = new LaneProcessor({
      kind: 'batch',
      handler: (given, context) => {
        expect(given).to.equal(records)
        expect({ ...context }).to.deep.equal({
          ...{
            shardId: 'shard',
            ...NAMES,
            millisBehindLatest: 5,
            failures: 2,
            fencingToken: 9,
            checkpointer,
            settle,
            signal
          }
        })
        return { failed: [RECORDS[1] as ConsumedRecord] }
      }
    })
    expect(processor.recordsPerCall).to.equal(Number.POSITIVE_INFINITY)
    expect(await processor.processRecords(input)).to.deep.equal({ failed: [RECORDS[1]] })
  })

  it('has a signal made only for those who ask for it', async () => {
    const { input, asked } = anInput(RECORDS.slice(0, 1))
    await new LaneProcessor({ kind: 'each', each: () => {} }).processRecords(input)
    await new LaneProcessor({ kind: 'batch', handler: () => {} }).processRecords(input)
    expect(asked()).to.equal(0)
  })
})
