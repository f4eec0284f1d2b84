// Several streams of one worker, whose leases share a table. They come and go: which there are is asked again and again, each is
// looked for on its own, and one that fails keeps none of the others from being read.
import type { Tenure } from '../leases/tenure.ts'
import { asConsumerError, type ConsumerError, ServiceError, TableMismatchError } from '../model/errors.ts'
import type { Lease } from '../model/lease.ts'
import { arnLike, parseStreamId, type StreamIdentity, type StreamNames, streamIdOf } from '../model/stream-id.ts'
import { allowManyListeners } from '../runtime/abort.ts'
import type { Clock } from '../runtime/clock.ts'
import { waitAtMost } from '../runtime/deadline.ts'
import { type Loop, startLoop } from '../runtime/loop.ts'
import type { FormerStreams } from './former-streams.ts'
import type { StreamHealth } from './health-rules.ts'
import { givenName, type ResolvedStreamList, type StreamSettings } from './stream-options.ts'
import type { StreamSet, TableSync } from './stream-set.ts'
import { StreamTurns } from './stream-turns.ts'
import type { WorkerStream } from './worker-stream.ts'

/** What is told of the streams, after it is so. Must not throw. */
export interface StreamListener {
  /** It was found, and its shards are to be compared with their leases. */
  added(stream: StreamNames): void
  removed(stream: StreamNames): void
  failed(stream: StreamNames, error: ConsumerError, during: 'find' | 'compare'): void
  recovered(stream: StreamNames): void
  /** Leases were created, or nobody was to have them until now: the leader should look at them. */
  leasesCreated(): void
  /** Something failed that is about no stream in particular. */
  brokeDown(during: string, error: unknown): void
}

/** Which streams there are, and how one is made. */
export interface ManyStreamsOptions {
  readonly list: ResolvedStreamList
  /** What a stream is processed with that is in the table and not in the list. */
  readonly unlisted: Omit<StreamSettings, 'stream'>
  readonly make: (settings: StreamSettings) => WorkerStream
  /** Forgets those that are in the list no more. */
  readonly former: FormerStreams
  readonly clock: Clock
  readonly listener: StreamListener
}

/** A stream of the list. */
interface Listed {
  stream: WorkerStream
  /** Whether it was found and opened. */
  isFound: boolean
  isLookedFor: boolean
  problem: ConsumerError | undefined
}

/** DescribeStreamSummary is allowed 20 times a second for an account: half of that is left to others. */
const LOOK_EVERY_MS = 100
/** How long streams that do not answer keep the others from starting, or from being compared. Milliseconds. */
const PATIENCE_MS = 5_000

/** The streams of one worker. */
export class ManyStreams implements StreamSet {
  /** Where one name has to stand for all of them. */
  readonly label = '*'
  readonly #options: ManyStreamsOptions
  /** By the name or ARN that they were given by. */
  readonly #listed = new Map<string, Listed>()
  /** By stream id: all that were found, or that a lease is of. */
  readonly #byId = new Map<string, WorkerStream>()
  readonly #finding = new StreamTurns<WorkerStream, boolean>()
  readonly #comparing = new StreamTurns<WorkerStream, readonly unknown[]>()
  #held: ReadonlySet<string> = new Set()
  #watching: Loop | undefined
  readonly #over = new AbortController()
  #isFresh = false

  constructor(options: ManyStreamsOptions) {
    this.#options = options
    allowManyListeners(this.#over.signal)
  }

  get health(): readonly StreamHealth[] {
    return [...this.#listed.values()].map(({ stream, problem }) => ({
      ...stream.names,
      color: problem === undefined ? 'green' : 'red',
      ...(problem !== undefined && { reason: problem.message })
    }))
  }

  get isFresh(): boolean {
    return this.#isFresh
  }

  serviceTimeMs(): number {
    const [first] = [...this.#listed.values()].filter(({ isFound }) => isFound)
    return first?.stream.syncer.serviceTimeMs() ?? Math.floor(this.#options.clock.epochMs())
  }

  of({ streamId = '', stream }: Lease): WorkerStream {
    const known = this.#byId.get(streamId)
    if (known !== undefined) return known
    const parts = parseStreamId(streamId)
    if (parts === undefined) throw new RangeError(`${streamId} is not the id of a stream`)
    const streamArn = stream?.streamArn ?? arnLike(this.#someArn(), parts)
    const listed = this.#listedAs(streamId)
    // One that is in the list and was not found yet; or the earlier or later one of the name of one that was, or is taken for it.
    const isNew = listed === undefined || listed.isFound || listed.stream.syncer.stream !== undefined
    const settings = { ...(listed?.stream.settings ?? this.#options.unlisted), stream: { streamArn } }
    const made = isNew ? this.#options.make(settings) : listed.stream
    made.syncer.assume({ streamArn, creationEpoch: parts.creationEpoch })
    made.mayBegin = this.#entryOf(made) !== undefined
    this.#byId.set(streamId, made)
    return made
  }

  async find(signal: AbortSignal): Promise<void> {
    allowManyListeners(signal)
    await this.#ask()
    const looking = Promise.all([...this.#listed.values()].map((listed, n) => this.#look(listed, n, signal)))
    // Streams that do not answer are waited for only as long as none has.
    const all = (): Listed[] => [...this.#listed.values()]
    await this.#briefly(looking, signal)
    if (all().length > 0 && !all().some(({ stream }) => stream.hasAnswered)) await looking
    signal.throwIfAborted()
    const [first] = all()
    const isHopeless = first?.problem !== undefined && all().every(({ problem }) => problem !== undefined)
    if (isHopeless) throw first.problem
  }

  async open(signal: AbortSignal): Promise<void> {
    const found = [...this.#listed.values()].filter(({ stream }) => stream.hasAnswered)
    await Promise.all(found.map(listed => this.#open(listed, signal)))
  }

  watch(): void {
    const { clock, list, listener } = this.#options
    this.#watching ??= startLoop({
      clock,
      run: () => this.refresh(),
      delayMs: () => list.everyMs,
      onError: error => listener.brokeDown('ask for the streams to read', error),
      runAtOnce: false
    })
    void this.#lookAgain()
  }

  /** Asks for the list, and looks for what is new in it. Resolves when that is known, not when it was found. */
  async refresh(): Promise<void> {
    await this.#ask()
    void this.#lookAgain()
  }

  async sync(signal: AbortSignal = this.#over.signal): ReturnType<TableSync['sync']> {
    allowManyListeners(signal)
    const { former, listener } = this.#options
    const streams = [...new Set(this.#byId.values())].filter(({ syncer }) => syncer.stream !== undefined)
    const gone = new Set<string>()
    const find = (each: WorkerStream, n: number): Promise<boolean> => this.#findAgain(each, n, gone, signal)
    await this.#briefly(this.#finding.take(streams, find), signal)
    const found = this.#finding.done().flatMap(({ stream, value }) => (value ? stream : []))
    const there = found.filter(stream => streams.includes(stream) && !this.#isRetired(stream))
    // All of them ask for the lease table at about the same time, and share a listing.
    const comparing = this.#comparing.take(there, each => this.#compare(each, gone, signal))
    await this.#briefly(comparing, signal)
    signal.throwIfAborted()
    const created = this.#comparing.done().map(({ value }) => value)
    const isListed = (streamId: string): boolean => this.#isListed(streamId)
    const { inTable, retired } = await former.tidy({ gone, isListed, of: lease => this.of(lease) }, signal)
    for (const streamId of this.#byId.keys()) if (!inTable.has(streamId)) this.#dropUnlisted(streamId)
    if (retired.length > 0) listener.leasesCreated()
    return { create: [...created.flat(), ...retired] }
  }

  remember(lease: Lease): void {
    // The row of a stream that was forgotten must not come back.
    if (this.#isListed(lease.streamId ?? '')) this.of(lease).syncer.remember(lease)
  }

  isWanted({ streamId = '' }: Lease): boolean {
    const { former, unlisted } = this.#options
    if (former.isRetired(streamId)) return false
    const known = this.#byId.get(streamId) ?? this.#listedAs(streamId)?.stream
    // Its leases stay as they are: somebody may say again what it is to be processed with.
    return (known?.settings ?? unlisted).code !== undefined
  }

  expect(held: readonly Tenure[]): void {
    const counts = new Map<string, number>()
    for (const { lease } of held) counts.set(lease.streamId ?? '', (counts.get(lease.streamId ?? '') ?? 0) + 1)
    this.#held = new Set(counts.keys())
    for (const [streamId, stream] of this.#byId) stream.ports.expectShards(counts.get(streamId) ?? 0)
  }

  close(): void {
    this.#over.abort()
    void this.#watching?.stop()
    const streams = [...this.#byId.values(), ...[...this.#listed.values()].map(({ stream }) => stream)]
    for (const stream of new Set(streams)) stream.close()
  }

  async #ask(): Promise<void> {
    const { list, clock, make, listener } = this.#options
    const wanted = new Map((await list.list(clock.epochMs())).map(each => [givenName(each.stream), each]))
    this.#over.signal.throwIfAborted()
    for (const [name, { stream, isFound }] of this.#listed) {
      if (wanted.has(name)) continue
      this.#listed.delete(name)
      stream.mayBegin = false
      if (isFound) listener.removed(stream.names)
      // Leases may be of it, although it was not found yet.
      else if (![...this.#byId.values()].includes(stream)) stream.close()
    }
    for (const [name, settings] of wanted) {
      if (this.#listed.has(name)) continue
      const known = this.#knownAs(settings)
      // What was said of it before it was in the list, or when it was the last time, does not count any more.
      known?.take(settings)
      const stream = known ?? make(settings)
      stream.mayBegin = true
      this.#listed.set(name, { stream, isFound: false, isLookedFor: false, problem: undefined })
    }
    this.#options.former.revive(streamId => this.#isListed(streamId))
  }

  /** Looks for those that were not found, or have gone since. */
  async #lookAgain(): Promise<void> {
    const { signal } = this.#over
    const missing = [...this.#listed.values()].filter(({ isFound, problem }) => !isFound || isNotFound(problem))
    const looks = missing.map(async (listed, n) => {
      if (await this.#look(listed, n, signal)) await this.#open(listed, signal)
    })
    await Promise.all(looks).catch(error => {
      if (!signal.aborted) this.#options.listener.brokeDown('open a stream', error)
    })
  }

  /** Looks for a stream. Says whether it is there. */
  async #look(listed: Listed, n: number, signal: AbortSignal): Promise<boolean> {
    if (listed.isLookedFor) return false
    listed.isLookedFor = true
    try {
      await this.#options.clock.sleep(n * LOOK_EVERY_MS, signal)
      signal.throwIfAborted()
      const { identity } = await listed.stream.syncer.find(signal)
      const { stream: before } = listed.stream.syncer
      if (before !== undefined && streamIdOf(before) !== streamIdOf(identity)) this.#startOver(listed)
      listed.stream.hasAnswered = true
      return true
    } catch (error) {
      if (!signal.aborted) this.#failed(listed, error, 'find')
      return false
    } finally {
      listed.isLookedFor = false
    }
  }

  /** The stream was deleted and created again: the leases of the earlier one are of another stream. */
  #startOver(listed: Listed): void {
    const { make, listener } = this.#options
    const { names, settings } = listed.stream
    if (listed.isFound) listener.removed(names)
    listed.stream.mayBegin = false
    listed.stream = make(settings)
    listed.isFound = false
  }

  /** A lease was of it before it was found here. */
  #replace(listed: Listed, known: WorkerStream): void {
    known.take(listed.stream.settings)
    listed.stream.close()
    listed.stream = known
    known.mayBegin = true
  }

  /** @throws TableMismatchError */
  async #open(listed: Listed, signal: AbortSignal): Promise<void> {
    const { listener } = this.#options
    try {
      if (![...this.#listed.values()].includes(listed)) return
      const streamId = streamIdOf(await listed.stream.syncer.open(signal))
      const known = this.#byId.get(streamId)
      if (known !== undefined && known !== listed.stream) this.#replace(listed, known)
      this.#byId.set(streamId, listed.stream)
      this.#isFresh ||= listed.stream.syncer.isFresh
      const isNews = !listed.isFound
      listed.isFound = true
      this.#recovered(listed)
      if (!isNews) return
      listener.added(listed.stream.names)
      listener.leasesCreated()
    } catch (error) {
      if (error instanceof TableMismatchError || signal.aborted) throw error
      this.#failed(listed, error, 'find')
    }
  }

  /** Says whether it is there still. What is not is noted in `gone`. */
  async #findAgain(stream: WorkerStream, n: number, gone: Set<string>, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#options.clock.sleep(n * LOOK_EVERY_MS, signal)
      signal.throwIfAborted()
      await stream.syncer.find(signal)
      return true
    } catch (error) {
      this.#notCompared(stream, error, gone, signal)
      return false
    }
  }

  async #compare(stream: WorkerStream, gone: Set<string>, signal: AbortSignal): Promise<readonly unknown[]> {
    try {
      const { create } = await stream.syncer.sync(signal)
      if (create.length > 0) this.#options.listener.leasesCreated()
      const listed = this.#entryOf(stream)
      if (listed !== undefined) this.#recovered(listed)
      return create
    } catch (error) {
      if (error instanceof TableMismatchError) throw error
      this.#notCompared(stream, error, gone, signal)
      return []
    }
  }

  #notCompared(stream: WorkerStream, error: unknown, gone: Set<string>, signal: AbortSignal): void {
    if (signal.aborted) return
    const { stream: identity } = stream.syncer
    if (isNotFound(error) && identity !== undefined && this.#isSurelyAt(identity)) gone.add(streamIdOf(identity))
    const listed = this.#entryOf(stream)
    if (listed !== undefined) this.#failed(listed, error, 'compare')
    // Nobody expects one that is in the list no more to be there.
    else if (!isNotFound(error)) this.#options.listener.failed(stream.names, asConsumerError(error), 'compare')
  }

  #failed(listed: Listed, error: unknown, during: 'find' | 'compare'): void {
    if (![...this.#listed.values()].includes(listed)) return
    listed.problem = asConsumerError(error)
    this.#options.listener.failed(listed.stream.names, listed.problem, during)
  }

  #recovered(listed: Listed): void {
    const wasRed = listed.problem !== undefined
    listed.problem = undefined
    if (wasRed) this.#options.listener.recovered(listed.stream.names)
  }

  #briefly(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
    const patienceMs = PATIENCE_MS + (this.#listed.size + this.#byId.size) * LOOK_EVERY_MS
    return waitAtMost(this.#options.clock, patienceMs, work, signal)
  }

  #isRetired({ syncer }: WorkerStream): boolean {
    return syncer.stream !== undefined && this.#options.former.isRetired(streamIdOf(syncer.stream))
  }

  #entryOf(stream: WorkerStream): Listed | undefined {
    return [...this.#listed.values()].find(listed => listed.stream === stream)
  }

  /** Whether the list has a stream: by its id, or, as long as that is not known, by its name. */
  #isListed(streamId: string): boolean {
    const listed = this.#listedAs(streamId)
    if (listed === undefined) return false
    const { stream } = listed.stream.syncer
    // One that was created later under the name is what the list means, whether it was found here yet or not.
    return stream === undefined || (parseStreamId(streamId)?.creationEpoch ?? 0) >= stream.creationEpoch
  }

  #listedAs(streamId: string): Listed | undefined {
    const parts = parseStreamId(streamId)
    if (parts === undefined) return undefined
    return [...this.#listed.values()].find(({ stream }) => {
      const { streamName, streamArn } = stream.names
      return streamName === parts.streamName && (streamArn === '' || streamArn.split(':')[4] === parts.accountId)
    })
  }

  /** One that is read already, and comes back to the list. */
  #knownAs({ stream }: StreamSettings): WorkerStream | undefined {
    const name = givenName(stream)
    return [...this.#byId.values()].find(
      ({ names, settings }) => givenName(settings.stream) === name || names.streamArn === name
    )
  }

  /** A row that KCL wrote says nothing of the region: while no stream of the list is known, that was guessed. */
  #isSurelyAt({ streamArn }: StreamIdentity): boolean {
    return this.#someArn().startsWith(`${streamArn.split(':', 4).join(':')}:`)
  }

  #someArn(): string {
    const arns = [...this.#listed.values()].map(({ stream }) => stream.names.streamArn)
    return arns.find(arn => arn !== '') ?? ''
  }

  #dropUnlisted(streamId: string): void {
    if (this.#isListed(streamId) || this.#held.has(streamId)) return
    this.#byId.get(streamId)?.close()
    this.#byId.delete(streamId)
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof ServiceError && error.kind === 'not-found'
}
