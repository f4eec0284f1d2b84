// A change between KCL and Millrace, for a person: what the table is, what is in the way, and the steps.
import type { MigrationNote } from '../operate/migration-rules.ts'
import type { Leftovers, MigrationPlan, MigrationRow, MigrationStep } from '../operate/plan-migration.ts'
import { tableLines } from './tables.ts'
import type { Colors } from './terminal.ts'
import { duration, plural, printable, shortShard } from './text-rules.ts'

const SIDES = { millrace: 'from KCL to Millrace', kcl: 'from Millrace to KCL' } as const
const OWNER_COLUMNS = [
  { title: 'owner' },
  { title: 'of' },
  { title: 'leases', align: 'right' },
  { title: 'state' },
  { title: 'writes each lease', align: 'right' }
] as const

/** The page, line by line. */
export function migrationPage(plan: MigrationPlan, colors: Colors): string[] {
  const { to, applicationName, streamName, notes, steps, rows, leftovers } = plan
  return [
    colors.bold(`${streamName} → ${applicationName}, ${SIDES[to]}`),
    ...tableOfLeases(plan, colors),
    ...(notes.length > 0 ? ['', ...notes.flatMap(note => noteLines(note, colors))] : []),
    '',
    ...steps.map((step, index) => stepLine(step, index + 1, colors)),
    ...(rows.length > 0 ? ['', ...rowLines(rows)] : []),
    ...leftoverLines(leftovers, to).flatMap((line, index) => (index === 0 ? ['', line] : [line]))
  ]
}

function tableOfLeases({ table }: MigrationPlan, colors: Colors): string[] {
  const { leases, kcl, owners, workers, mode, leaseTable, controlTable } = table
  const { total, finished, ofKcl, ofMillrace, ofNobody } = leases
  const inMode = kcl.clientVersion === undefined ? '' : `, in mode ${kcl.clientVersion}`
  const words = [
    `lease table ${leaseTable}: ${plural(total, 'lease')}, ${ofKcl} of KCL, ${ofMillrace} of Millrace, ${ofNobody} of nobody, ${finished} finished`,
    `control table ${controlTable}: ${plural(workers, 'worker')} of Millrace${mode === undefined ? '' : `, ${MODES[mode]}`}`,
    ...(kcl.version === undefined ? [] : [`KCL ${kcl.version}${inMode}, by ${kcl.because.join(', ')}`])
  ]
  const rows = owners.map(({ workerId, kind, leases: owned, state, writesEveryMs }) => [
    printable(workerId),
    kind === 'kcl' ? 'KCL' : 'Millrace',
    String(owned),
    state === 'silent' ? colors.red(state) : state,
    writesEveryMs === undefined ? '' : `every ${duration(writesEveryMs)}`
  ])
  return [...words.map(printable), ...(rows.length > 0 ? ['', ...tableLines(OWNER_COLUMNS, rows, colors.dim)] : [])]
}

const MODES = { solo: 'on their own', mixed: 'sharing', changing: 'changing' } as const

function noteLines({ severity, message, advice, shardIds = [] }: MigrationNote, colors: Colors): string[] {
  const paint = severity === 'blocker' ? colors.red : severity === 'warning' ? colors.yellow : colors.cyan
  return [
    `${paint(severity)}: ${printable(message)}`,
    ...(advice === 'Nothing' ? [] : [`  ${colors.dim('→')} ${printable(advice)}`]),
    ...(shardIds.length > 0 ? [`  ${colors.dim(shards(shardIds))}`] : [])
  ]
}

function stepLine({ what, by, state, waitsFor }: MigrationStep, number: number, colors: Colors): string {
  const mark = state === 'done' ? colors.green('✓') : state === 'open' ? colors.yellow('→') : ' '
  const who = by === 'operator' ? 'you' : 'millrace'
  const waits = by === 'operator' && waitsFor !== undefined ? colors.dim(` (until: ${printable(waitsFor)})`) : ''
  return `${mark} ${number}. ${who}: ${printable(what)}${waits}`
}

function rowLines(rows: readonly MigrationRow[]): string[] {
  const reasons = [...new Set(rows.flatMap(({ why }) => why))]
  return reasons.map(reason => {
    const some = rows.filter(({ why }) => why.includes(reason)).map(({ shardId }) => shardId)
    return `rows to write for ${ROW_REASONS[reason] ?? reason}: ${shards(some)}`
  })
}

const ROW_REASONS: Readonly<Record<string, string>> = {
  'start-time': 'where they begin',
  'hash-keys': 'their hash keys',
  parents: 'their parents',
  children: 'their children',
  'hand-off': 'a hand-off that is over',
  digits: 'their sequence number'
}

/** What is left over, line by line. None: nothing is. */
export function leftoverLines({ items, index, tables, control }: Leftovers, to: MigrationPlan['to']): string[] {
  const tablesOfItems = [...new Set(items.map(({ table }) => table))]
  const parts = [
    ...tablesOfItems.map(
      table => `${plural(items.filter(item => item.table === table).length, 'record')} of KCL in ${table}`
    ),
    ...(index === undefined ? [] : [`the index ${index}`]),
    ...tables.map(name => `the table ${name}`),
    ...(control ? ['the items of this application in the control table'] : [])
  ]
  if (parts.length === 0) return []
  const whose = to === 'millrace' ? 'Millrace' : 'KCL'
  return [`not used by ${whose}, and deleted with --delete-leftovers: ${printable(parts.join(', '))}`]
}

/** How far a change is, for a person who waits. */
export function stepInWords(step: MigrationStep | undefined): string {
  if (step === undefined) return 'everything is done; looking whether what is left over is in use'
  const { by, what, waitsFor } = step
  if (by === 'command') return waitsFor === undefined ? `to do: ${what}` : `to do: ${what}; waiting for ${waitsFor}`
  return `now you: ${what}; waiting for ${waitsFor ?? 'that'}`
}

function shards(shardIds: readonly string[]): string {
  const some = shardIds.slice(0, 10).map(shortShard).join(', ')
  return `${plural(shardIds.length, 'shard')}: ${printable(some)}${shardIds.length > 10 ? ', …' : ''}`
}
