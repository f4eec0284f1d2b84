// What follows when a child fails: the properties that say so, and where dead letters go.
import { shown } from '../model/option-rules.ts'
import type { DeadLetterPlan } from './daemon-plan.ts'
import type { PropertySheet } from './property-rules.ts'

/** What follows a failure, as options of a worker, and where dead letters go. */
export interface FailurePlan {
  readonly onProcessorError: Readonly<Record<string, unknown>>
  readonly deadLetters: DeadLetterPlan | undefined
}

/** As long as can be: KCL puts no limit to how long a processor takes. Milliseconds. */
const DAY_MS = 86_400_000
const YEAR_MS = 31_536_000_000
const MAX_DELAY_MS = 600_000

/** What the properties about failures come to. */
export function planFailures(sheet: PropertySheet): FailurePlan {
  const backoffMs = sheet.integer('taskBackoffTimeMillis', { min: 0, max: MAX_DELAY_MS })
  const maxBackoffMs = sheet.integer('millrace.maxBackoffMillis', { min: 0, max: MAX_DELAY_MS })
  if (maxBackoffMs !== undefined && maxBackoffMs < (backoffMs ?? 500)) {
    const expected = `expected at least ${backoffMs ?? 500}, as taskBackoffTimeMillis says`
    sheet.refuse('millrace.maxBackoffMillis', `is ${maxBackoffMs}, ${expected}`)
  }
  const lastResort = sheet.word('millrace.then', ['halt', 'stop', 'dead-letter', 'skip']) ?? 'halt'
  const maxRecordAgeMs = sheet.integer('millrace.maxRecordAgeMillis', { min: 1_000, max: YEAR_MS })
  if (maxRecordAgeMs !== undefined && !['dead-letter', 'skip'].includes(lastResort)) {
    const expected = 'expected millrace.then to say dead-letter or skip, which is what becomes of older records'
    sheet.refuse('millrace.maxRecordAgeMillis', `is ${maxRecordAgeMs}, ${expected}`)
  }
  const attempts = sheet.integer('millrace.attempts', { min: 1, max: 1_000_000 })
  return {
    onProcessorError: {
      timeoutMs: sheet.integer('millrace.batchTimeoutMillis', { min: 1, max: DAY_MS }) ?? DAY_MS,
      // biome-ignore lint/suspicious/noThenProperty: the name of an option
      then: lastResort,
      ...(attempts !== undefined && { attempts }),
      ...(backoffMs !== undefined && { backoffMs }),
      ...(maxBackoffMs !== undefined && { maxBackoffMs }),
      ...(maxRecordAgeMs !== undefined && { maxRecordAgeMs })
    },
    deadLetters: planDeadLetters(sheet, lastResort)
  }
}

function planDeadLetters(sheet: PropertySheet, lastResort: string): DeadLetterPlan | undefined {
  const key = 'millrace.deadLetters'
  const given = sheet.text(key)
  if (lastResort !== 'dead-letter') {
    if (given === undefined) return undefined
    return sheet.refuse(key, 'is given, and nothing would use it: expected millrace.then to say dead-letter')
  }
  const expected = 'expected file:PATH, stream:NAME, sqs:URL or s3://BUCKET/PREFIX'
  if (given === undefined) {
    sheet.missing(key, `is missing, because millrace.then says dead-letter: ${expected}`)
    return undefined
  }
  const plan = deadLetterPlan(given)
  return plan ?? sheet.refuse(key, `is ${shown(given)}, ${expected}`)
}

function deadLetterPlan(text: string): DeadLetterPlan | undefined {
  const [, bucket, prefix = ''] = /^s3:\/\/([a-z0-9.-]{3,63})(?:\/(.*))?$/.exec(text) ?? []
  if (bucket !== undefined) return { kind: 's3', bucket, prefix: prefix.replace(/\/+$/, '') }
  const [, kind, rest = ''] = /^(file|stream|sqs):(.+)$/.exec(text) ?? []
  if (kind === 'file') return { kind, path: rest }
  if (kind === 'stream' && /^[a-zA-Z0-9_.:/-]+$/.test(rest)) return { kind, stream: rest }
  return kind === 'sqs' && /^https?:\/\//.test(rest) ? { kind, queueUrl: rest } : undefined
}
