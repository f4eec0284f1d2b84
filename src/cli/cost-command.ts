// millrace cost: what a fleet pays DynamoDB.
import type { CostPart, CostReport } from '../operate/cost-rules.ts'
import type { CommandContext, CommandSpec } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { addFleetFlags, type FleetFlags, overFleet } from './fleet-flags.ts'
import { type Column, tableLines } from './tables.ts'
import { count, duration, plural } from './text-rules.ts'
import { durationMs } from './value-rules.ts'

interface CostFlags extends FleetFlags {
  readonly observe?: string
}

const COLUMNS: readonly Column[] = [
  { title: 'what' },
  { title: 'how' },
  { title: 'a month', align: 'right' },
  { title: 'dollars', align: 'right' }
]

/** Estimates costs. */
export const costCommand: CommandSpec = {
  name: 'cost',
  summary: 'estimate what a fleet pays DynamoDB in a month, from what it does now',
  usesAws: true,
  define: command =>
    addFleetFlags(command).option('--observe <duration>', 'count checkpoints for so long (default: 10s)'),
  run: cost
}

async function cost(context: CommandContext, _: readonly unknown[], given: object): Promise<number> {
  const flags = given as CostFlags
  const { terminal } = context
  const watchMs = flags.observe === undefined ? undefined : durationMs('--observe', flags.observe)
  return overFleet(context, flags, async (fleet, signal) => {
    const report = await fleet.cost({ signal, ...(watchMs !== undefined && { watchMs }) })
    if (terminal.isJson) await terminal.json(report)
    else for (const line of costLines(report, terminal.colors.dim)) await terminal.line(line)
    return EXIT.ok
  })
}

function costLines(report: CostReport, dim: (text: string) => string): string[] {
  const { parts, usdPerMonth, workers, leases, watchedMs, leaseWritesPerSecond } = report
  const rows = parts.map(part => [part.what, part.how, amountOf(part), dollars(part.usdPerMonth)])
  const watched = `${leaseWritesPerSecond.toFixed(2)} lease writes a second, counted for ${duration(watchedMs)}`
  return [
    `${plural(workers, 'worker')}, ${plural(leases, 'lease')}; ${watched}`,
    '',
    ...tableLines(COLUMNS, [...rows, ['in all', '', '', dollars(usdPerMonth)]], dim),
    '',
    dim('On demand, at the prices of us-east-1, for 30 days like the time that was looked at. Kinesis is not in it.')
  ]
}

function amountOf({ what, units }: CostPart): string {
  return what === 'storage' ? `${count(units)} bytes` : `${count(units)} units`
}

function dollars(amount: number): string {
  return amount.toFixed(2)
}
