// One application in a simulated world: its two tables, the books of its shards, and the checks that both are held against.
// Tells the journal what happens.
import type { Death, LeaderLock, Mailbox, Member } from '../leases/control-store.ts'
import type { StartPosition } from '../model/start-position.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import { placeOf } from './fake-stream.ts'
import { type DeliveryCall, Invariants, type Processing } from './invariants.ts'
import type { LeaseWrite } from './lease-writes.ts'
import { PutLog, ShardLedger } from './shard-ledger.ts'
import { SimulatedTables, type TableObserver, type TablePair, type TableRole } from './simulated-tables.ts'
import type { ViolationKind } from './violation.ts'
import type { ProcessorWatch } from './watched-processor.ts'

/** What an application has in common with the world it is in. */
export interface ApplicationContext {
  readonly clock: Clock
  readonly random: Random
  readonly sabotage: (tables: TablePair) => TablePair
  /** How old an eventually consistent read may be. Milliseconds. */
  readonly lagMs: () => number
  /** What was ever put into the shards of its stream, by shard. */
  readonly puts: Map<string, PutLog>
  /** Whether a record is in Kinesis now. */
  readonly isThere: (shardId: string, sequenceNumber: string) => boolean
  readonly isDriftExcessive: () => boolean
  readonly note: (who: string, what: string, about?: string) => void
  readonly violated: (kind: ViolationKind, message: string, shardId?: string) => void
  /** Told of every write to the lease table, and of every delivery. */
  readonly leaseWritten: (write: LeaseWrite) => void
  readonly delivered: (call: DeliveryCall) => void
}

/** What an application is told to do by the options of its first worker. */
export interface ApplicationOptions {
  readonly streamName: string
  readonly tableName: string
  readonly controlTableName: string
  readonly startAt: StartPosition
  /** Whether user records of other shards may be left out. */
  readonly mayDropOutside: boolean
}

/** One application. */
export class SimulatedApplication {
  /** The stream that it reads. */
  readonly streamName: string
  /** Its tables. */
  readonly tables: SimulatedTables
  readonly #context: ApplicationContext
  readonly #options: ApplicationOptions
  readonly #invariants: Invariants
  readonly #ledgers = new Map<string, ShardLedger>()

  constructor(options: ApplicationOptions, context: ApplicationContext) {
    this.#options = options
    this.#context = context
    this.streamName = options.streamName
    const { clock, random, lagMs, sabotage, isDriftExcessive, violated } = context
    this.#invariants = new Invariants({
      nowMs: () => clock.monotonicMs(),
      ledgerOf: shardId => this.#ledgerOf(shardId),
      isDriftExcessive,
      violated
    })
    const { tableName, controlTableName } = options
    const observer = this.#observer()
    this.tables = new SimulatedTables({ tableName, controlTableName, clock, random, lagMs, sabotage, observer })
  }

  /** How much was delivered. */
  get counts(): Invariants['counts'] {
    return this.#invariants.counts
  }

  /** Whether everything that was put, and has to be, is processed. */
  get isDone(): boolean {
    return this.#shardIds().every(shardId => this.#ledgerOf(shardId).firstOpen(undefined, this.#sinceMs()) === -1)
  }

  /** What has to be processed and is not: for each shard the places of the records. */
  open(): { readonly shardId: string; readonly places: readonly string[] }[] {
    return this.#shardIds().flatMap(shardId => {
      const { puts } = this.#ledgerOf(shardId)
      const open = this.#ledgerOf(shardId).open(this.#sinceMs())
      return open.length === 0 ? [] : [{ shardId, places: open.map(entry => placeOf(puts.sequenceNumberOf(entry))) }]
    })
  }

  /** The processors of one worker are watched through this. */
  watchFor(worker: Processing): ProcessorWatch<DeliveryCall> {
    const { note, delivered } = this.#context
    const invariants = this.#invariants
    return {
      begin: (shardId, records, signal) => {
        const [first, last] = [records[0]?.sequenceNumber ?? '', records.at(-1)?.sequenceNumber ?? '']
        note(worker.name, `is given ${records.length} records ${placeOf(first)} to ${placeOf(last)}`, shardId)
        const call = invariants.begin(worker, shardId, records, signal)
        delivered(call)
        return call
      },
      vouch: call => invariants.vouch(call),
      vouchUpTo: (shardId, position) => invariants.vouchUpTo(shardId, position),
      end: (call, isDone) => {
        note(worker.name, isDone ? 'is done' : 'has failed', call.shardId)
        invariants.end(call, isDone)
      }
    }
  }

  /** A worker is no more. */
  crashed(worker: Processing): void {
    this.#invariants.crashed(worker)
  }

  /** Its stream was deleted. */
  streamDeleted(): void {
    this.#ledgers.clear()
    this.#invariants.streamDeleted()
  }

  #observer(): TableObserver {
    const { note, leaseWritten } = this.#context
    const invariants = this.#invariants
    return {
      leaseWritten: write => {
        note(write.writer, describeWrite(write), write.leaseKey)
        invariants.leaseWritten(write)
        leaseWritten(write)
      },
      memberChanged: (member: Member, before: Member | undefined, writer: string) => {
        if (before === undefined) note(writer, `joins as ${member.session}`)
        else if (before.state !== member.state) note(writer, `is ${member.state}`)
        invariants.memberChanged(member)
      },
      memberDied: (session: string, how: Death, writer: string) => {
        note(writer, `has written the death of ${session}: ${how}`)
        invariants.memberDied(session, how)
      },
      leaderChanged: ({ who, term }: LeaderLock, writer: string) =>
        note(writer, who === undefined ? `resigns from term ${term}` : `leads in term ${term}`),
      mailboxPosted: ({ session, ver, term, mode, leases, wait, dead }: Mailbox, writer: string) => {
        const lists = `${leases.length} leases, waits for ${wait.length}, dead ${dead.length}`
        note(writer, `posts ${mode} mailbox ${ver} of term ${term} to ${session}: ${lists}`)
        invariants.modeIs(mode)
      },
      tableLost: (which: TableRole) => {
        note('world', `deletes the table of the ${which}`)
        if (which === 'leases') invariants.leasesLost()
      }
    }
  }

  #shardIds(): string[] {
    return [...this.#context.puts.keys()]
  }

  #ledgerOf(shardId: string): ShardLedger {
    const known = this.#ledgers.get(shardId)
    if (known !== undefined) return known
    const { puts, isThere } = this.#context
    const log = puts.get(shardId) ?? new PutLog()
    puts.set(shardId, log)
    const ledger = new ShardLedger(log, {
      mayDropOutside: this.#options.mayDropOutside,
      isThere: sequenceNumber => isThere(shardId, sequenceNumber)
    })
    this.#ledgers.set(shardId, ledger)
    return ledger
  }

  /**
   * What arrived since then has to be processed in shards of which no lease was ever seen. Where the application begins
   * with what is latest, that is not known before it has leases.
   */
  #sinceMs(): number {
    const { startAt } = this.#options
    if (startAt === 'TRIM_HORIZON') return Number.NEGATIVE_INFINITY
    return startAt === 'LATEST' ? this.#invariants.beganAtMs : startAt.getTime()
  }
}

function describeWrite({ kind, isWritten, expected, after }: LeaseWrite): string {
  const owner = after?.owner ?? 'nobody'
  const checkpoint = after === undefined ? 'gone' : placeOf(after.checkpoint.sequenceNumber)
  const row = `${owner} at ${after?.counter ?? 0}, ${checkpoint}`
  return isWritten ? `${kind}: ${row}` : `${kind} as of ${expected?.counter ?? 0} is refused: ${row}`
}
