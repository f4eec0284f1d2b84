// millrace watch: how a fleet is doing, again and again, as large as the terminal.
import { messageOf, OptionError } from '../model/errors.ts'
import type { Fleet } from '../operate/fleet.ts'
import type { LagReport } from '../operate/lag.ts'
import type { CommandContext, CommandSpec } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { addFleetFlags, type FleetFlags, overFleet } from './fleet-flags.ts'
import { LiveArea } from './live-area.ts'
import { statusPage } from './status-page.ts'
import { durationMs } from './value-rules.ts'

interface WatchFlags extends FleetFlags {
  readonly every: string
  readonly lag: boolean
}

/** Between two measurements of the lag, at least: each takes two of the five reads a second of every shard. Milliseconds. */
const LAG_MS = 10_000
const LEAST_MS = 500

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
  if (!terminal.isJson && terminal.stdout.isTTY !== true) {
    throw new OptionError(
      '--json',
      'is missing, and standard output is no terminal. For one look there is millrace status'
    )
  }
  return overFleet(context, flags, async (fleet, signal) => {
    const area = terminal.isJson ? undefined : new LiveArea(terminal.stdout, [terminal.stderr])
    try {
      await new Watch(context, fleet, { everyMs, measuresLag: flags.lag, area }).run(signal)
    } finally {
      area?.release()
    }
    return EXIT.ok
  })
}

interface WatchOptions {
  readonly everyMs: number
  readonly measuresLag: boolean
  /** Absent: lines of JSON. */
  readonly area: LiveArea | undefined
}

class Watch {
  readonly #context: CommandContext
  readonly #fleet: Fleet
  readonly #options: WatchOptions
  #lag: LagReport | undefined

  constructor(context: CommandContext, fleet: Fleet, options: WatchOptions) {
    this.#context = context
    this.#fleet = fleet
    this.#options = options
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#look(signal), this.#options.measuresLag ? this.#measure(signal) : undefined])
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { ports, terminal } = this.#context
    const { everyMs, area } = this.#options
    while (!signal.aborted) {
      try {
        const status = await this.#fleet.status({ signal })
        const lag = this.#lag
        if (area === undefined) await terminal.json({ ...status, ...(lag && { lag }) })
        else {
          const { columns = 80, rows = 24 } = terminal.stdout
          area.draw(statusPage({ status, lag, columns, rows: rows - 1, colors: terminal.colors }).join('\n'))
        }
      } catch (error) {
        // What cannot be looked at now may be in a moment: whoever watches sees why, and that it goes on.
        if (signal.aborted) return
        if (area === undefined) throw error
        area.draw(terminal.colors.red(messageOf(error)))
      }
      await ports.clock.sleep(everyMs, signal)
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
}
