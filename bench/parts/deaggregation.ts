// De-aggregation alone, against aws-kinesis-agg.
import { startChild } from '../child-process.ts'
import type { DeaggregationResult } from '../results.ts'
import { median, spread } from '../statistics.ts'
import type { CaseName, CaseRounds, DeaggregationQuestions } from '../subjects/deaggregation-process.ts'

/** The cases, as they are called in the ratios, and what they are. */
export const DEAGGREGATION_CASES: Readonly<Record<CaseName, string>> = {
  deaggregate100Base64: 'records of 100 B, one aggregate; aws-kinesis-agg from base64',
  deaggregate100Bytes: 'records of 100 B, one aggregate; aws-kinesis-agg from bytes',
  deaggregate1000: 'records of 1,000 B, one aggregate; aws-kinesis-agg from base64',
  deaggregate100Batch: 'records of 100 B, 4 aggregates at once; aws-kinesis-agg from base64'
}

/** Processes that each case is measured in: what the compiler of one makes of the code is partly luck. */
const PROCESSES = 3
const ROUND_MS = 100

/** Measures every case, `rounds` times in each of a few processes. */
export async function measureDeaggregation(
  library: string,
  rounds: number,
  say: (line: string) => void
): Promise<DeaggregationResult[]> {
  const measured = new Map(Object.keys(DEAGGREGATION_CASES).map(name => [name as CaseName, [] as CaseRounds[]]))
  for (let process = 0; process < PROCESSES; process++) {
    for (const [name, all] of measured) {
      const child = startChild<DeaggregationQuestions>('subjects/deaggregation-process.ts', { role: 'measured', name })
      try {
        all.push(await child.ask.measure(name, library, rounds, ROUND_MS))
      } finally {
        await child.end()
      }
      const [ours, theirs] = [all.at(-1)?.ours ?? [], all.at(-1)?.theirs ?? []]
      say(`${name} ${process + 1}/${PROCESSES}: ${(median(ours) / median(theirs)).toFixed(2)} times aws-kinesis-agg`)
    }
  }
  return [...measured].map(([name, all]) => resultOf(name, all))
}

function resultOf(name: CaseName, all: readonly CaseRounds[]): DeaggregationResult {
  const ratios = all.flatMap(({ ours, theirs }) => ours.map((speed, i) => speed / (theirs[i] ?? Number.NaN)))
  const [ours, theirs] = [all.flatMap(rounds => rounds.ours), all.flatMap(rounds => rounds.theirs)]
  return { case: name, ours: spread(ours), theirs: spread(theirs), ratio: median(ratios) }
}
