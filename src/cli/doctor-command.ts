// millrace doctor: what is wrong with a fleet, its tables and its stream, and what to do about it.
import type { Finding, FindingSeverity } from '../operate/doctor-rules.ts'
import type { CommandContext, CommandSpec } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { addFleetFlags, type FleetFlags, overFleet } from './fleet-flags.ts'
import type { Colors } from './terminal.ts'
import { plural, printable, shortShard } from './text-rules.ts'
import { durationMs } from './value-rules.ts'

interface DoctorFlags extends FleetFlags {
  readonly observe?: string
}

/** Examines a fleet. */
export const doctorCommand: CommandSpec = {
  name: 'doctor',
  summary: 'find what is wrong with a fleet, its tables and its stream, and what to do',
  usesAws: true,
  define: command =>
    addFleetFlags(command).option('--observe <duration>', 'look for so long before answering (default: 4s)'),
  run: doctor
}

async function doctor(context: CommandContext, _: readonly unknown[], given: object): Promise<number> {
  const flags = given as DoctorFlags
  const { terminal } = context
  const watchMs = flags.observe === undefined ? undefined : durationMs('--observe', flags.observe)
  return overFleet(context, flags, async (fleet, signal) => {
    const findings = await fleet.doctor({ signal, ...(watchMs !== undefined && { watchMs }) })
    if (terminal.isJson) await terminal.json({ findings })
    else for (const line of findingLines(findings, terminal.colors)) await terminal.line(line)
    return findings.some(({ severity }) => severity === 'error') ? EXIT.red : EXIT.ok
  })
}

function findingLines(findings: readonly Finding[], colors: Colors): string[] {
  if (findings.length === 0) return [colors.green('Nothing is wrong.')]
  const paints: Readonly<Record<FindingSeverity, (text: string) => string>> = {
    error: colors.red,
    warning: colors.yellow,
    info: colors.cyan
  }
  return findings.flatMap(({ severity, message, advice, shardIds = [] }) => [
    `${paints[severity](severity)}: ${printable(message)}`,
    `  ${colors.dim('→')} ${printable(advice)}`,
    ...(shardIds.length > 0 ? [`  ${colors.dim(shardList(shardIds))}`] : [])
  ])
}

function shardList(shardIds: readonly string[]): string {
  const some = shardIds.slice(0, 10).map(shortShard).join(', ')
  return `${plural(shardIds.length, 'shard')}: ${some}${shardIds.length > 10 ? ', …' : ''}`
}
