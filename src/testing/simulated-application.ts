// One application in a simulated world: its two tables, the books of its shards, and the checks that both are held against.
// Tells the journal what happens.
import type { Death, LeaderLock, Mailbox, Member } from '../leases/control-store.ts'
import type { Orders } from '../leases/order-rules.ts'
import type { ConsumedRecord } from '../model/record.ts'
import { type ExtendedSequenceNumber, formatPosition, positionOf } from '../model/sequence-number.ts'
import type { StartPosition } from '../model/start-position.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Random } from '../runtime/random.ts'
import type { WorkerEventName, WorkerEvents } from '../worker/events.ts'
import type { ProcessorErrorOptions } from '../worker/failure-options.ts'
import { DEFAULT_GRACE_MS } from '../worker/stop-options.ts'
import { placeOf } from './fake-stream.ts'
import { HandOvers } from './hand-overs.ts'
import { type DeliveryCall, Invariants, type Processing } from './invariants.ts'
import type { LeaseWrite } from './lease-writes.ts'
import { PutLog, ShardLedger, showPosition } from './shard-ledger.ts'
import { SimulatedTables, type TableObserver, type TablePair, type TableRole } from './simulated-tables.ts'
import type { ViolationKind } from './violation.ts'
import type { LetterWatch } from './watched-dead-letters.ts'
import type { DecodeWatch } from './watched-decode.ts'
import type { CallEnd, ProcessorWatch } from './watched-processor.ts'

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

/** How a worker of an application processes. */
export interface WorkerManner {
  /** How many calls it may have under way for one shard. */
  readonly atOnce: number
  /** Whether the records of a key keep their order with it. */
  readonly keepsOrder: boolean
  /** Whether its code keeps things in memory, so that a new processor begins at the checkpoint, whatever was settled. */
  readonly keepsMemory: boolean
  /** What follows failures. */
  readonly rules: ProcessorErrorOptions
  /** Whether what cannot be decoded is to be skipped. Absent: it is not. */
  readonly skipsUndecodable?: boolean
  /** Its clocks: monotonic and epoch milliseconds. */
  readonly clock: Pick<Clock, 'monotonicMs' | 'epochMs'>
}

/** Watches what one worker does. */
export interface WorkerWatch extends ProcessorWatch<DeliveryCall>, LetterWatch, DecodeWatch {
  /** To be told of every event of the worker. */
  heard<Name extends WorkerEventName>(name: Name, event: WorkerEvents[Name]): void
  /** The worker is to stop, within so many milliseconds. */
  stopping(graceMs?: number): void
}

/** How somebody lets go of whom no worker is known. */
const HELD_WELL = { isAbandoned: false, askedAtMs: undefined, isHalted: false, resumedAtMs: undefined } as const

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
  readonly #handOvers = new Map<string, HandOvers>()
  #keepsOrder = true
  /** Positions of records that could not be decoded. */
  readonly #undecodable = new Set<string>()

  /** @throws RangeError if it is of several streams: worlds are of applications of one */
  constructor(options: ApplicationOptions, context: ApplicationContext) {
    if (options.streamName === '') {
      throw new RangeError('A simulated worker has streamName or streamArn: several streams are not simulated')
    }
    this.#options = options
    this.#context = context
    this.streamName = options.streamName
    const { clock, random, lagMs, sabotage, isDriftExcessive, violated } = context
    this.#invariants = new Invariants({
      nowMs: () => clock.monotonicMs(),
      ledgerOf: shardId => this.#ledgerOf(shardId),
      isDriftExcessive,
      keepsOrder: () => this.#keepsOrder,
      lettingGo: (worker, shardId) => this.#handOvers.get(worker)?.lettingGo(shardId) ?? HELD_WELL,
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

  /** One worker is watched through this. */
  watchFor(worker: Processing, manner: WorkerManner): WorkerWatch {
    const { note, delivered, clock } = this.#context
    const { atOnce, keepsOrder, rules } = manner
    const invariants = this.#invariants
    const { deliveries, givenUp } = invariants
    const handOvers = new HandOvers(
      () => manner.clock.monotonicMs(),
      () => clock.monotonicMs(),
      manner.keepsMemory
    )
    this.#handOvers.set(worker.name, handOvers)
    this.#keepsOrder &&= keepsOrder
    return {
      begin: (shardId, records, signal) => {
        note(worker.name, describeCall(records), shardId)
        const call = invariants.begin({ worker, shardId, records, signal, atOnce })
        delivered(call)
        return call
      },
      settle: (call, position) => {
        note(worker.name, `settles ${showPosition(position)}`, call.shardId)
        deliveries.settle(call, position)
      },
      vouchUpTo: (shardId, position, call) => deliveries.vouchUpTo(shardId, position, call),
      end: (call, how) => {
        note(worker.name, describeEnd(how), call.shardId)
        deliveries.end(call, how)
      },
      undecodable: position => void this.#undecodable.add(formatPosition(position)),
      storing: letters => {
        const shardId = letters[0]?.shardId ?? ''
        note(worker.name, `stores ${letters.length} dead letters`, shardId)
        const given = letters.map(letter => {
          const { attempts, givenUpAtMs, arrivedAtMs = givenUpAtMs } = letter
          const isUndecodable = this.#isUndecodable(letter)
          return { position: positionOf(letter), attempts, ageMs: givenUpAtMs - arrivedAtMs, isUndecodable }
        })
        givenUp.givingUp(worker, shardId, given, rules)
      },
      stored: letters => {
        note(worker.name, `has stored ${letters.length} dead letters`, letters[0]?.shardId)
        givenUp.stored(worker, letters[0]?.shardId ?? '', letters.map(positionOf))
      },
      heard: (name, event) => this.#heard(worker, manner, handOvers, { name, event } as AnyEvent),
      stopping: graceMs => handOvers.stopping(graceMs ?? DEFAULT_GRACE_MS)
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

  #heard(worker: Processing, manner: WorkerManner, handOvers: HandOvers, { name, event }: AnyEvent): void {
    if (name === 'worker:stopping') handOvers.stopping(event.graceMs)
    else if (name === 'lease:taken') handOvers.taken(event.shardId)
    else if (name === 'lease:revoked') handOvers.revoked(event.shardId)
    else if (name === 'shard:failed' && event.retryInMs === undefined) handOvers.failed(event.shardId)
    else if (name === 'processor:failed' && (event.action === 'halt' || event.action === 'stop')) {
      handOvers.halts(event.shardId)
    } else if (name === 'shard:halted') handOvers.halted(event.shardId)
    else if (name === 'shard:resumed') {
      const { isHalted } = handOvers.lettingGo(event.shardId)
      if (isHalted && manner.keepsMemory) this.#invariants.deliveries.begunAnew(event.shardId)
      handOvers.resumed(event.shardId)
    } else if (name === 'records:given-up') this.#gaveUp(worker, manner, event)
  }

  #gaveUp(
    worker: Processing,
    { rules, skipsUndecodable, clock }: WorkerManner,
    event: WorkerEvents['records:given-up']
  ): void {
    const { givenUp } = this.#invariants
    const { shardId, how } = event
    const positions = givenUp.givenUpBy(worker, event, skipsUndecodable ? this.#isUndecodable : undefined)
    if (how === 'skip') {
      const { puts } = this.#ledgerOf(shardId)
      const ageOf = (position: ExtendedSequenceNumber): number =>
        clock.epochMs() - puts.arrivedAtMs(puts.entryOf(position))
      const given = positions.map(position => ({
        position,
        attempts: undefined,
        ageMs: ageOf(position),
        isUndecodable: this.#isUndecodable(position)
      }))
      givenUp.givingUp(worker, shardId, given, rules)
    }
    const isSkipped = skipsUndecodable && positions.every(this.#isUndecodable)
    // That somebody has asked for it is said elsewhere.
    const asked = isSkipped ? { ...rules, decide: () => 'skip' as const } : rules
    givenUp.gaveUp(worker, shardId, positions, how, asked)
  }

  readonly #isUndecodable = (position: ExtendedSequenceNumber): boolean =>
    this.#undecodable.has(formatPosition(position))

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
      ordersChanged: ({ ver, holds, moves }: Orders, writer: string) =>
        note(writer, `gives orders ${ver}: ${holds.length} holds, ${moves.length} moves`),
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

type AnyEvent = {
  [Name in WorkerEventName]: { readonly name: Name; readonly event: WorkerEvents[Name] }
}[WorkerEventName]

function describeCall(records: readonly ConsumedRecord[]): string {
  const [first, last] = [showPosition(records[0]), showPosition(records.at(-1))]
  return `is given ${records.length} records ${first} to ${last}`
}

function describeEnd(how: CallEnd): string {
  if (how.kind === 'failed') return 'has failed'
  return how.failed.length === 0 ? 'is done' : `has failed with ${how.failed.map(showPosition).join(', ')}`
}

function describeWrite({ kind, isWritten, expected, after }: LeaseWrite): string {
  const owner = after?.owner ?? 'nobody'
  const checkpoint = after === undefined ? 'gone' : placeOf(after.checkpoint.sequenceNumber)
  const row = `${owner} at ${after?.counter ?? 0}, ${checkpoint}`
  return isWritten ? `${kind}: ${row}` : `${kind} as of ${expected?.counter ?? 0} is refused: ${row}`
}
