// The command line of the example.
import { parseArgs } from 'node:util'

export interface TransactionsOptions {
  readonly kills: number
  readonly workers: number
  readonly shards: number
  /** Payments a second. */
  readonly rate: number
  /** Chance follows from it: amounts, accounts, and when which worker is killed. */
  readonly seed: number
  readonly naive: boolean
  readonly json: boolean
  readonly help: boolean
}

/** What the exit code says. */
export const EXIT = { good: 0, bad: 1, misused: 2, interrupted: 130 }

/** Each number: its default, least and most, and what it is. */
const NUMBERS = {
  kills: [20, 0, 1_000, 'how many times a worker is killed with SIGKILL'],
  workers: [3, 1, 20, 'how many workers run at a time'],
  shards: [4, 1, 50, 'with how many shards the stream begins; one is split in the middle'],
  rate: [400, 10, 5_000, 'payments a second'],
  seed: [1, 0, 1_000_000_000, 'of what is left to chance']
} as const satisfies Record<string, readonly [byDefault: number, least: number, most: number, text: string]>

export const HELP = `Usage: npm run transactions [-- options]

Adds up payments per account in a SQL database while workers are killed at random, each commit with the position in its
stream. At the end every payment has to be counted exactly once. Runs on emulators of Kinesis and DynamoDB.

Options:
${Object.entries(NUMBERS)
  .map(
    ([name, [byDefault, least, most, text]]) =>
      `  --${`${name} N`.padEnd(11)} ${text} (${least} to ${most}, default ${byDefault})`
  )
  .join('\n')}
  --naive       only with the checkpoints of the lease table: shows what the example is for, and fails
  --json        print the result as one JSON object
  --help        print this text

Exit code: ${EXIT.good} if every total is exact, ${EXIT.bad} if not, ${EXIT.misused} for a wrong option, ${EXIT.interrupted} if interrupted.`

/** @throws TypeError if an option is unknown. @throws RangeError if a number is out of its range. */
export function parseOptions(args: readonly string[]): TransactionsOptions {
  const texts = Object.fromEntries(Object.keys(NUMBERS).map(name => [name, { type: 'string' } as const]))
  const flags = { naive: { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean' } } as const
  const { values } = parseArgs({ args: [...args], options: { ...texts, ...flags } })
  const number = (name: keyof typeof NUMBERS): number => {
    const [byDefault, least, most] = NUMBERS[name]
    const given = (values as Record<string, unknown>)[name]
    if (given === undefined) return byDefault
    const value = /^\d+$/.test(String(given)) ? Number(given) : Number.NaN
    if (value >= least && value <= most) return value
    throw new RangeError(
      `Option --${name}: is ${JSON.stringify(given)}, expected a whole number from ${least} to ${most}`
    )
  }
  return {
    kills: number('kills'),
    workers: number('workers'),
    shards: number('shards'),
    rate: number('rate'),
    seed: number('seed'),
    naive: values.naive === true,
    json: values.json === true,
    help: values.help === true
  }
}
