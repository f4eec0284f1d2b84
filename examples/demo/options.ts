// The command line of the demo.
import { parseArgs } from 'node:util'

export interface DemoOptions {
  readonly json: boolean
  readonly help: boolean
}

/** What the exit code of the demo says. */
export const EXIT = { good: 0, bad: 1, misused: 2, interrupted: 130 }

export const HELP = `Usage: npm start [-- options]

Runs three Millrace workers on emulators of Kinesis and DynamoDB, lets them count the requests of 10,000 access-log
lines, meanwhile splits a shard, merges two, kills a worker and starts another, and proves that every line was processed,
in order. Takes about half a minute and needs no AWS account.

Options:
  --json   print the result as one JSON object, on the last line (with npm start --silent it is the only one)
  --help   print this text

Exit code: ${EXIT.good} if the proof holds, ${EXIT.bad} if not, ${EXIT.misused} for an unknown option, ${EXIT.interrupted} if interrupted.`

/** @throws TypeError if an option is unknown. */
export function parseOptions(args: readonly string[]): DemoOptions {
  const { values } = parseArgs({ args: [...args], options: { json: { type: 'boolean' }, help: { type: 'boolean' } } })
  return { json: values.json ?? false, help: values.help ?? false }
}
