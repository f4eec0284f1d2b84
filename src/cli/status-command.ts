// millrace status: how a fleet is doing, once.
import type { CommandContext, CommandSpec } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { addFleetFlags, type FleetFlags, overFleet } from './fleet-flags.ts'
import { statusPage } from './status-page.ts'
import { durationMs } from './value-rules.ts'

interface StatusFlags extends FleetFlags {
  readonly lag: boolean
  readonly observe?: string
}

/** A page is as wide as this where there is no terminal. */
const COLUMNS = 160

/** Shows a fleet. */
export const statusCommand: CommandSpec = {
  name: 'status',
  summary: 'show how a fleet is doing: workers, leases, lag, what is red',
  usesAws: true,
  define: command =>
    addFleetFlags(command)
      .option('--no-lag', 'do not measure the lag, which takes two reads a shard')
      .option(
        '--observe <duration>',
        'look for so long before answering, to tell workers that are silently gone, such as 15s'
      ),
  run: status
}

async function status(context: CommandContext, _: readonly unknown[], given: object): Promise<number> {
  const flags = given as StatusFlags
  const { terminal } = context
  const watchMs = flags.observe === undefined ? 0 : durationMs('--observe', flags.observe)
  return overFleet(context, flags, async (fleet, signal) => {
    const found = await fleet.status({ watchMs, signal })
    const lag = flags.lag && found.leases.length > 0 ? await fleet.lag({ signal }) : undefined
    if (terminal.isJson) await terminal.json({ ...found, ...(lag && { lag }) })
    else {
      const { columns = COLUMNS } = terminal.stdout
      const page = statusPage({ status: found, lag, columns, colors: terminal.colors })
      for (const line of page) await terminal.line(line)
    }
    return found.color === 'green' ? EXIT.ok : EXIT.red
  })
}
