// millrace migrate: a fleet changed over from KCL to Millrace on one table, or back, while it runs.
import { OptionError } from '../model/errors.ts'
import type { MigrationTarget } from '../operate/migration-rules.ts'
import type { MigrationPlan } from '../operate/plan-migration.ts'
import type { CommandContext, CommandSpec } from './command.ts'
import { confirmed } from './confirmation.ts'
import { EXIT } from './exit-codes.ts'
import { addFleetFlags, overFleet } from './fleet-flags.ts'
import type { OperationFlags } from './fleet-operation.ts'
import { leftoverLines, migrationPage, stepInWords } from './migration-page.ts'
import { duration, plural } from './text-rules.ts'
import { durationMs, oneOf } from './value-rules.ts'

interface MigrateFlags extends OperationFlags {
  readonly to?: string
  readonly dryRun?: boolean
  readonly observe?: string
  readonly deleteLeftovers?: boolean
}

/** What `--to` takes. */
export const MIGRATION_SIDES: readonly MigrationTarget[] = ['millrace', 'kcl']

/** Changes a fleet over. */
export const migrateCommand: CommandSpec = {
  name: 'migrate',
  summary: 'change from KCL to Millrace on one lease table, or back, while records flow',
  usesAws: true,
  define: command =>
    addFleetFlags(command)
      .option('--to <side>', 'millrace or kcl: who is to read the stream in the end')
      .option('--dry-run', 'say what the table is and what would be done; change nothing')
      .option('--observe <duration>', 'look for so long who lives before anything else (default: 12s)')
      .option('--timeout <duration>', 'how long it may take in all (default: 1h); run it again to go on')
      .option('--delete-leftovers', 'delete what only the other side used, in the end; never a lease')
      .option('-y, --yes', 'do not ask'),
  run: migrate
}

async function migrate(context: CommandContext, _: readonly unknown[], given: object): Promise<number> {
  const flags = given as MigrateFlags
  const { terminal } = context
  const to = targetOf(flags.to)
  const watchMs = flags.observe === undefined ? undefined : durationMs('--observe', flags.observe)
  const timeoutMs = flags.timeout === undefined ? undefined : durationMs('--timeout', flags.timeout)
  return overFleet(context, flags, async (fleet, signal) => {
    const plan = await fleet.foreseeMigration(to, { signal, ...(watchMs !== undefined && { watchMs }) })
    const isBlocked = plan.notes.some(({ severity }) => severity === 'blocker')
    const ends = flags.dryRun === true || isBlocked
    if (terminal.isJson && ends) await terminal.json({ plan })
    else if (!terminal.isJson) for (const line of migrationPage(plan, terminal.colors)) await terminal.line(line)
    if (ends) return isBlocked ? EXIT.red : EXIT.ok
    if (!(await confirmed(context, consequence(plan, flags), flags))) {
      terminal.remark('Nothing was done.')
      return EXIT.failed
    }
    let told = ''
    const report = await fleet.migrate(to, {
      ...{ signal, deleteLeftovers: flags.deleteLeftovers === true },
      ...(timeoutMs !== undefined && { timeoutMs }),
      onProgress: ({ step }) => {
        const text = stepInWords(step)
        if (text !== told) terminal.remark(text)
        told = text
      }
    })
    if (terminal.isJson) await terminal.json(report)
    else {
      const rows = report.written.length > 0 ? `, ${plural(report.written.length, 'row')} written` : ''
      await terminal.line(`${SIDES[to]} reads ${plan.streamName} now${rows}; it took ${duration(report.tookMs)}`)
      const left = report.deleted === undefined ? report.plan.leftovers : undefined
      if (left !== undefined) for (const line of leftoverLines(left, to)) await terminal.line(line)
      else await terminal.line('what was left over is deleted')
    }
    return EXIT.ok
  })
}

const SIDES = { millrace: 'Millrace', kcl: 'KCL' } as const

function targetOf(to: string | undefined): MigrationTarget {
  if (to === undefined) throw new OptionError('--to', 'is missing, expected millrace or kcl')
  return oneOf('--to', to, MIGRATION_SIDES)
}

function consequence({ applicationName, steps, leftovers, to }: MigrationPlan, flags: MigrateFlags): string {
  const yours = steps.filter(({ by, state }) => by === 'operator' && state !== 'done').map(({ what }) => what)
  const wait = yours.length === 0 ? '' : ` It will ask you to ${yours.join(', and to ')}, and wait for that.`
  const deletes = flags.deleteLeftovers === true && leftoverLines(leftovers, to).length > 0
  const lost = deletes ? ` In the end it deletes what is ${leftoverLines(leftovers, to).join('; ')}.` : ''
  return `This changes ${applicationName} over to ${SIDES[to]} while it runs.${wait}${lost}`
}
