// millrace dashboard: a page in the browser that shows a fleet, live, and with a token lets people act.
import { serveDashboard } from '../dashboard/dashboard.ts'
import { newToken } from '../dashboard/token.ts'
import { whenAborted } from '../runtime/abort.ts'
import { type CommandContext, type CommandSpec, collected } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { addFleetFlags, type FleetFlags, withFleet } from './fleet-flags.ts'
import { interruptible } from './interruption.ts'
import { durationMs, wholeNumber } from './value-rules.ts'

interface DashboardFlags extends FleetFlags {
  readonly port: string
  readonly host: string
  readonly allowHost?: readonly string[]
  readonly token?: string | true
  readonly every: string
  readonly lag: boolean
}

/** Serves the dashboard of a fleet. */
export const dashboardCommand: CommandSpec = {
  name: 'dashboard',
  summary: 'show how a fleet is doing in a browser, live, until Ctrl-C',
  usesAws: true,
  define: command =>
    addFleetFlags(command)
      .option('--port <number>', 'to listen on; 0: one that is free', '8787')
      .option(
        '--host <address>',
        'to listen on; with one that others reach, a token is needed to see anything',
        '127.0.0.1'
      )
      .option(
        '--allow-host <name>',
        'name that it may be called by, beside addresses and localhost; again for more',
        collected
      )
      .option('--token [token]', 'let those act who have it (default: a new one; or MILLRACE_TOKEN)')
      .option('--every <duration>', 'between two looks, while somebody watches', '2s')
      .option('--no-lag', 'do not measure the lag, which takes two reads a shard every ten seconds'),
  run: dashboard
}

async function dashboard(context: CommandContext, _: readonly unknown[], given: object): Promise<number> {
  const flags = given as DashboardFlags
  const { ports, terminal } = context
  const token = tokenOf(flags, ports.env.MILLRACE_TOKEN)
  const options = {
    port: wholeNumber('--port', flags.port, { min: 0, max: 65_535 }),
    host: flags.host,
    hosts: flags.allowHost ?? [],
    everyMs: durationMs('--every', flags.every),
    lag: flags.lag,
    ...(token !== undefined && { token })
  }
  return withFleet(context, flags, fleet =>
    interruptible(ports, async signal => {
      await using served = await serveDashboard(fleet, options, { clock: ports.clock })
      const { url, urlWithToken } = served
      if (terminal.isJson) await terminal.json({ url, ...(urlWithToken !== undefined && { urlWithToken }) })
      else {
        await terminal.line(urlWithToken ?? url)
        const may =
          token === undefined ? 'It is read-only; with --token one may act.' : 'Whoever has this address may act.'
        terminal.remark(`${may} Ctrl-C ends it.`)
      }
      await whenAborted(signal)
      return EXIT.ok
    })
  )
}

function tokenOf({ token }: DashboardFlags, ofEnvironment: string | undefined): string | undefined {
  if (typeof token === 'string') return token
  const given = ofEnvironment === '' ? undefined : ofEnvironment
  return token === true ? (given ?? newToken()) : given
}
