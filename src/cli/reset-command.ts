// millrace reset: has an application begin again somewhere, while it runs.
import { OptionError } from '../model/errors.ts'
import type { ResetPosition } from '../operate/plan-reset.ts'
import type { ResetReport } from '../operate/reset.ts'
import type { CommandContext, CommandSpec } from './command.ts'
import { addFleetFlags, addShardFlag, type ShardFlags, shardIdsOf, shardsInWords } from './fleet-flags.ts'
import { type OperationFlags, operate } from './fleet-operation.ts'
import { shortCheckpoint } from './status-page.ts'
import { tableLines } from './tables.ts'
import { duration, plural, printable, shortShard } from './text-rules.ts'
import { pointInTime, quoted } from './value-rules.ts'

interface ResetFlags extends OperationFlags, ShardFlags {
  readonly toLatest?: boolean
  readonly toTrim?: boolean
  readonly at?: string
  readonly sequence?: string
}

/** Resets a fleet. */
export const resetCommand: CommandSpec = {
  name: 'reset',
  summary: 'have an application begin again somewhere, while it runs',
  usesAws: true,
  define: command =>
    addShardFlag(addFleetFlags(command))
      .option('--to-latest', 'begin with what arrives from now on')
      .option('--to-trim', 'begin with the oldest records that there are')
      .option(
        '--at <time>',
        'begin with the first record that arrived then or later: a time, or 5m for five minutes ago'
      )
      .option('--sequence <number>', 'begin after this record of the one shard; number:sub for a place in an aggregate')
      .option('--timeout <duration>', 'how long to wait until everybody has let go (default: 3m)')
      .option('-y, --yes', 'do not ask'),
  run: reset
}

async function reset(context: CommandContext, _: readonly unknown[], given: object): Promise<number> {
  const flags = given as ResetFlags
  const { ports, terminal } = context
  const position = positionOf(flags, ports.clock.epochMs())
  return operate(context, flags, consequence(flags, position), async (fleet, options) => {
    const report = await fleet.reset(position, { ...shardIdsOf(flags), ...options })
    return { result: report, lines: resetLines(report, terminal.colors.dim) }
  })
}

function positionOf({ toLatest, toTrim, at, sequence }: ResetFlags, nowMs: number): ResetPosition {
  const given = Object.entries({ '--to-latest': toLatest, '--to-trim': toTrim, '--at': at, '--sequence': sequence })
  const [first, second] = given.filter(([, value]) => value !== undefined)
  if (first === undefined)
    throw new OptionError('--at', 'is missing, expected --to-latest, --to-trim, --at or --sequence')
  if (second !== undefined) throw new OptionError(second[0], `is given beside ${first[0]}, expected one of them`)
  if (toLatest === true) return 'LATEST'
  if (toTrim === true) return 'TRIM_HORIZON'
  if (at !== undefined) return pointInTime('--at', at, nowMs)
  const [, sequenceNumber, sub] = /^(\d{1,200})(?::(\d{1,9}))?$/.exec(sequence ?? '') ?? []
  if (sequenceNumber === undefined) {
    throw new OptionError('--sequence', `is ${quoted(sequence ?? '')}, expected a sequence number, or number:sub`)
  }
  return { sequenceNumber, ...(sub !== undefined && { subSequenceNumber: Number(sub) }) }
}

function consequence(flags: ResetFlags, position: ResetPosition): string {
  const where =
    position === 'LATEST'
      ? 'with what arrives from now on: what it has not processed yet is passed over for good'
      : position === 'TRIM_HORIZON'
        ? 'with the oldest records that there are: everything is processed again'
        : position instanceof Date
          ? `with the first record that arrived at ${position.toISOString()} or later: what it has processed since is processed again, what it has not processed before is passed over`
          : `after record ${position.sequenceNumber}`
  return `This has ${flags.app} begin again, in ${shardsInWords(flags)}, ${where}.`
}

/** What was reset, for a person. */
export function resetLines({ shards, waitedMs }: ResetReport, dim: (text: string) => string): string[] {
  const columns = [{ title: 'shard', align: 'right' }, { title: 'was at' }, { title: 'begins' }] as const
  const rows = shards.map(({ shardId, from = '-', to }) => [
    shortShard(shardId),
    printable(shortCheckpoint(from)),
    printable(shortCheckpoint(to))
  ])
  const done = `${plural(shards.length, 'shard')} reset; everybody had let go after ${duration(waitedMs)}`
  return [...(rows.length > 0 ? [...tableLines(columns, rows, dim), ''] : []), done]
}
