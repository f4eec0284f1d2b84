// Compares deaggregate with the plain decoder on random batches, and stops at the first difference.
// Run: node --import tsx test/kpl/fuzz-deaggregate.ts --cases 1000000 --seed 1
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { type Deaggregated, DeaggregationRoom, Deaggregator, deaggregate } from '../../src/kpl/deaggregate.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { type FuzzCase, FuzzCases } from './fuzz-cases.ts'
import { deaggregatePlainly, type PlainBatch } from './plain-decoder.ts'

/** What happened in how many cases, to see that they are not all of one kind. */
export interface FuzzReport {
  readonly cases: number
  /** Kinesis records; those that were delivered as they are; user records out of the others. */
  readonly records: number
  readonly whole: number
  readonly members: number
  readonly outOfRange: number
  readonly corrupt: number
}

/**
 * Runs `cases` random cases. One room for all of them, as in a worker; every eighth case goes through `deaggregate` too.
 *
 * @throws Error with the case if the two decoders do not agree, or if ours throws.
 */
export function fuzz(cases: number, seed: number, progress?: (done: number) => void): FuzzReport {
  const room = new DeaggregationRoom()
  const source = new FuzzCases(seededRandom(seed))
  const report = { cases, records: 0, whole: 0, members: 0, outOfRange: 0, corrupt: 0 }
  for (let i = 0; i < cases; i++) {
    const { records, options } = source.next()
    const expected = deaggregatePlainly(records, options)
    check(() => new Deaggregator(options, room).deaggregate(records), expected, { records, options }, seed, i)
    if (i % 8 === 0) check(() => deaggregate(records, options), expected, { records, options }, seed, i)
    report.records += records.length
    report.whole += expected.records.filter(record => !record.aggregated).length
    report.members += expected.records.filter(record => record.aggregated).length
    report.outOfRange += expected.outOfRange
    report.corrupt += expected.corrupt
    if (i % 50_000 === 49_999) progress?.(i + 1)
  }
  return report
}

function check(decode: () => Deaggregated, expected: PlainBatch, of: FuzzCase, seed: number, index: number): void {
  let got: Deaggregated
  try {
    got = decode()
  } catch (cause) {
    throw new Error(`SEED=${seed}, case ${index} throws: ${described(of)}`, { cause })
  }
  const { records, outOfRange, corrupt, last } = got
  const position = last && ([last.sequenceNumber, last.subSequenceNumber] as const)
  const left = textOf({ records, outOfRange, corrupt, last: position })
  const right = textOf(expected)
  if (left !== right) {
    throw new Error(`SEED=${seed}, case ${index}: ${described(of)}\n     got: ${left}\nexpected: ${right}`)
  }
}

function textOf({ records, outOfRange, corrupt, last }: PlainBatch): string {
  const lines = records.map(record =>
    [
      record.sequenceNumber,
      record.subSequenceNumber,
      record.aggregated,
      JSON.stringify(record.partitionKey),
      record.explicitHashKey,
      Buffer.from(record.data.buffer, record.data.byteOffset, record.data.byteLength).toString('latin1')
    ].join(' ')
  )
  return [outOfRange, corrupt, last, ...lines].join('\n')
}

function described({ records, options }: FuzzCase): string {
  const { hashKeyRange, ...policies } = options
  const range = hashKeyRange && `${hashKeyRange.start}-${hashKeyRange.end}`
  const payloads = records.map(({ sequenceNumber, data }) => `${sequenceNumber}:${Buffer.from(data).toString('hex')}`)
  return `${JSON.stringify(policies)} ${range ?? ''} ${payloads.join(' ')}`
}

function main(): void {
  const { values } = parseArgs({
    options: { cases: { type: 'string', default: '1000000' }, seed: { type: 'string', default: '1' } }
  })
  const began = performance.now()
  const seconds = (): string => ((performance.now() - began) / 1000).toFixed(0)
  const report = fuzz(Number(values.cases), Number(values.seed), done => {
    if (done % 100_000 === 0) console.log(`${done} cases, ${seconds()} s`)
  })
  console.log(`no difference, ${seconds()} s, SEED=${values.seed}:`, report)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main()
