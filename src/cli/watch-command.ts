// millrace watch: how a fleet is doing, again and again, as large as the terminal.
import { messageOf, OptionError } from '../model/errors.ts'
import type { Fleet } from '../operate/fleet.ts'
import type { LagReport } from '../operate/lag.ts'
import type { FleetStatus } from '../operate/status-rules.ts'
import type { CommandContext, CommandSpec } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { addFleetFlags, type FleetFlags, overFleet } from './fleet-flags.ts'
import { FullScreen } from './full-screen.ts'
import { statusPage } from './status-page.ts'
import { cell, duration, printable } from './text-rules.ts'
import { durationMs } from './value-rules.ts'

interface WatchFlags extends FleetFlags {
  readonly every: string
  readonly lag: boolean
}

/** Between two measurements of the lag, at least: each takes two of the five reads a second of every shard. Milliseconds. */
const LAG_MS = 10_000
const LEAST_MS = 500
/** An answer may take so long before that is told. Milliseconds. */
const PATIENCE_MS = 4_000
const TICK_MS = 1_000

/** Watches a fleet. */
export const watchCommand: CommandSpec = {
  name: 'watch',
  summary: 'show how a fleet is doing, live, until Ctrl-C',
  usesAws: true,
  define: command =>
    addFleetFlags(command)
      .option('--every <duration>', 'between two looks', '2s')
      .option('--no-lag', 'do not measure the lag, which takes two reads a shard every ten seconds'),
  run: watch
}

async function watch(context: CommandContext, _: readonly unknown[], given: object): Promise<number> {
  const flags = given as WatchFlags
  const { terminal } = context
  const everyMs = durationMs('--every', flags.every)
  if (everyMs < LEAST_MS) throw new OptionError('--every', `is ${flags.every}, expected at least ${LEAST_MS}ms`)
  if (!terminal.isJson && (terminal.stdout.isTTY !== true || context.ports.env.TERM === 'dumb')) {
    throw new OptionError(
      '--json',
      'is missing, and standard output is no terminal that can be drawn on. For one look there is millrace status'
    )
  }
  return overFleet(context, flags, async (fleet, signal) => {
    await new Watch(context, fleet, { everyMs, measuresLag: flags.lag }).run(signal)
    return EXIT.ok
  })
}

interface WatchOptions {
  readonly everyMs: number
  readonly measuresLag: boolean
}

class Watch {
  readonly #context: CommandContext
  readonly #fleet: Fleet
  readonly #options: WatchOptions
  #status: FleetStatus | undefined
  #lag: LagReport | undefined
  /** Why the last look failed. */
  #problem: string | undefined
  #screen: FullScreen | undefined
  #seenAtMs: number

  constructor(context: CommandContext, fleet: Fleet, options: WatchOptions) {
    this.#context = context
    this.#fleet = fleet
    this.#options = options
    this.#seenAtMs = context.ports.clock.monotonicMs()
  }

  async run(signal: AbortSignal): Promise<void> {
    const { stdout, stderr, isJson } = this.#context.terminal
    if (!isJson) this.#screen = new FullScreen(stdout, [stderr], () => this.#draw())
    const release = (): void => this.#screen?.release()
    // At once: whoever presses Ctrl-C wants the terminal back, whatever is waited for.
    signal.addEventListener('abort', release, { once: true })
    this.#draw()
    try {
      const measuring = this.#options.measuresLag ? this.#measure(signal) : undefined
      await Promise.all([this.#look(signal), measuring, this.#tick(signal)])
    } finally {
      release()
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { ports, terminal } = this.#context
    const { clock } = ports
    while (!signal.aborted) {
      try {
        this.#status = await this.#fleet.status({ signal })
        this.#problem = undefined
        this.#seenAtMs = clock.monotonicMs()
        if (terminal.isJson) await terminal.json({ ...this.#status, ...(this.#lag && { lag: this.#lag }) })
      } catch (error) {
        if (signal.aborted) return
        // What never was seen is not there, or may not be seen: that will not pass. Otherwise whoever watches sees why, and that it
        // goes on.
        if (terminal.isJson || this.#status === undefined) throw error
        this.#problem = messageOf(error)
      }
      this.#draw()
      await clock.sleep(this.#options.everyMs, signal)
    }
  }

  async #measure(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#lag = await this.#fleet.lag({ signal })
      } catch {
        this.#lag = undefined // Told of by the look, which asks the same services.
      }
      await this.#context.ports.clock.sleep(Math.max(LAG_MS, this.#options.everyMs), signal)
    }
  }

  /** Shows that time passes also while no answer comes: calls are made again for a while before they count as failed. */
  async #tick(signal: AbortSignal): Promise<void> {
    const { clock } = this.#context.ports
    while (this.#screen !== undefined && !signal.aborted) {
      await clock.sleep(TICK_MS, signal)
      if (clock.monotonicMs() - this.#seenAtMs >= this.#options.everyMs + PATIENCE_MS) this.#draw()
    }
  }

  #draw(): void {
    const { columns = 80, rows = 24 } = this.#context.terminal.stdout
    const { colors } = this.#context.terminal
    const status = this.#status
    // Nothing stands in the last column: what is erased behind it would take it away on some terminals.
    const page =
      status === undefined
        ? [colors.dim('looking …')]
        : statusPage({ status, lag: this.#lag, columns: columns - 1, rows: rows - 1, colors }).slice(0, rows - 1)
    this.#screen?.draw(page, this.#footer(columns), rows)
  }

  #footer(columns: number): string {
    const { colors } = this.#context.terminal
    const { clock } = this.#context.ports
    const { everyMs } = this.#options
    const blindMs = clock.monotonicMs() - this.#seenAtMs
    const why = this.#problem === undefined ? '' : `: ${printable(this.#problem)}`
    if (why !== '' || blindMs >= everyMs + PATIENCE_MS) {
      return colors.red(
        cell(`no answer for ${duration(Math.floor(blindMs / 1_000) * 1_000)}, trying again${why}`, columns - 1)
      )
    }
    const at = this.#status === undefined ? '' : `${timeOfDay(this.#status.atMs)} UTC   `
    return colors.dim(cell(`${at}every ${duration(everyMs)}   Ctrl-C ends`, columns - 1))
  }
}

function timeOfDay(epochMs: number): string {
  return new Date(epochMs).toISOString().slice(11, 19)
}
