// De-aggregation alone, ours and that of aws-kinesis-agg by turns in one process, on one core. The records are touched: key
// and data, so that a lazy decoder looks no better than it is. Digests are checked by both.
import { aggregate } from '../../src/kpl/aggregate.ts'
import type { KinesisRecord } from '../../src/model/record.ts'
import { type Random, seededRandom } from '../../src/runtime/random.ts'
import { answerParent } from '../child-side.ts'
import { type Deaggregate, loadDeaggregator } from '../library.ts'
import { type AggOfAws, aggOfAws } from '../peers.ts'
import { userRecords } from '../source/payloads.ts'

/** The name of a case, as in the ratios. */
export type CaseName = 'deaggregate100Base64' | 'deaggregate100Bytes' | 'deaggregate1000' | 'deaggregate100Batch'

/** User records per second, round by round. */
export interface CaseRounds {
  readonly ours: readonly number[]
  readonly theirs: readonly number[]
}

/** What the process can be asked. */
export interface DeaggregationQuestions {
  /** Measures a case, for so many rounds of so many milliseconds each. */
  measure(name: CaseName, library: string, rounds: number, roundMs: number): Promise<CaseRounds>
}

/** What is given to the de-aggregators. */
const CASES: Readonly<Record<CaseName, { readonly dataBytes: number; readonly aggregates: number }>> = {
  deaggregate100Base64: { dataBytes: 100, aggregates: 1 },
  deaggregate100Bytes: { dataBytes: 100, aggregates: 1 },
  deaggregate1000: { dataBytes: 1000, aggregates: 1 },
  deaggregate100Batch: { dataBytes: 100, aggregates: 4 }
}
const AGGREGATE_BYTES = 500_000
const WARM_UP_ROUNDS = 4
const OVERHEAD = 28

interface Input {
  readonly records: readonly KinesisRecord[]
  readonly base64: readonly string[]
  readonly users: number
  readonly touched: number
}

/** Takes everything apart and tells how long keys and data are. */
type Touch = () => number

answerParent<DeaggregationQuestions>({
  measure: async (name, library, rounds, roundMs) => {
    const input = inputOf(name, seededRandom(1))
    const deaggregate = await loadDeaggregator(library)
    const ours = oursFromBytes(input, deaggregate)
    const theirs =
      name === 'deaggregate100Bytes' ? theirsFromBytes(input, aggOfAws()) : theirsFromBase64(input, aggOfAws())
    for (const touch of [ours, theirs]) {
      if (touch() !== input.touched) throw new Error(`${name}: ${touch()} bytes touched, expected ${input.touched}`)
    }
    const times: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] }
    for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
      const ourSpeed = recordsPerSecond(ours, input.users, roundMs)
      const theirSpeed = recordsPerSecond(theirs, input.users, roundMs)
      if (round < 0) continue
      times.ours.push(ourSpeed)
      times.theirs.push(theirSpeed)
    }
    return times
  }
})

function inputOf(name: CaseName, random: Random): Input {
  const { dataBytes, aggregates } = CASES[name]
  const perAggregate = Math.floor(AGGREGATE_BYTES / (dataBytes + OVERHEAD))
  const records = Array.from({ length: aggregates }, (_, i) => {
    const { partitionKey, data } = aggregate(userRecords(perAggregate, dataBytes, random))
    return { sequenceNumber: `4966048030097737542926210498423976047${String(i).padStart(19, '0')}`, partitionKey, data }
  })
  const users = aggregates * perAggregate
  const base64 = records.map(({ data }) => Buffer.from(data).toString('base64'))
  return { records, base64, users, touched: users * (16 + dataBytes) }
}

function oursFromBytes({ records }: Input, deaggregate: Deaggregate): Touch {
  return () => {
    let touched = 0
    for (const { partitionKey, data } of deaggregate(records)) touched += partitionKey.length + data.length
    return touched
  }
}

/** As records come from the SDK of today, which it renames first. */
function theirsFromBytes({ records }: Input, agg: AggOfAws): Touch {
  return () => {
    let touched = 0
    for (const { sequenceNumber, partitionKey, data } of records) {
      const record = { SequenceNumber: sequenceNumber, PartitionKey: partitionKey, Data: data }
      agg.deaggregateSync(record, true, (error, users = []) => {
        if (error) throw error
        for (const { PartitionKey, Data } of users as unknown as { PartitionKey: string; Data: string }[]) {
          touched += PartitionKey.length + Buffer.byteLength(Data, 'base64')
        }
      })
    }
    return touched
  }
}

/** As records come to a Lambda function. What it hands out is left in base64. */
function theirsFromBase64({ records, base64 }: Input, agg: AggOfAws): Touch {
  return () => {
    let touched = 0
    for (const [i, { sequenceNumber, partitionKey }] of records.entries()) {
      agg.deaggregateSync({ sequenceNumber, partitionKey, data: base64[i] }, true, (error, users = []) => {
        if (error) throw error
        for (const user of users) touched += user.partitionKey.length + Buffer.byteLength(user.data, 'base64')
      })
    }
    return touched
  }
}

/** Per second of CPU time: what else runs on the core meanwhile does not count. */
function recordsPerSecond(touch: Touch, users: number, roundMs: number): number {
  const begin = cpuMs()
  let spentMs = 0
  let runs = 0
  while (spentMs < roundMs) {
    touch()
    runs++
    spentMs = cpuMs() - begin
  }
  return (runs * users * 1000) / spentMs
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
