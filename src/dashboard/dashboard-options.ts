// What a dashboard is opened with, and the checks of that.
import { OptionError } from '../model/errors.ts'
import type { Fleet } from '../operate/fleet.ts'
import { isLoopbackAddress } from '../serving/request-guard.ts'
import { checkBoolean, checkGroup, checkInteger, checkMethods, checkText, show } from '../worker/option-checks.ts'

/** What of a fleet a dashboard uses: a `Fleet` of `millrace/operate` has it. */
export type DashboardFleet = Pick<Fleet, 'status' | 'lag' | 'reset' | 'release' | 'pause' | 'resume' | 'move'>

/** Where a dashboard listens, and what it lets people do. */
export interface DashboardOptions {
  /** 0 to 65,535; default 8787. With 0 the system chooses one that is free: see `url`. */
  readonly port?: number
  /** Address to listen on. Default `127.0.0.1`: this machine alone. With any that others reach, a `token` is needed. */
  readonly host?: string
  /** Names that it may be called by, beside addresses and `localhost`, such as `fleet.internal`. Default: none. */
  readonly hosts?: readonly string[]
  /**
   * Who has it may act: reset, release, pause, resume, move. 16 to 200 visible ASCII characters. Default: nobody may. On an
   * address that others reach, it is needed to see anything, too.
   */
  readonly token?: string
  /** Between two looks at the fleet. Milliseconds, 500 to 600,000; default 2,000. There are none while nobody watches. */
  readonly everyMs?: number
  /** Whether the lag is measured, with two reads of each shard every `lagEveryMs`. Default true. */
  readonly lag?: boolean
  /** Between two measurements. Milliseconds, 2,000 to 600,000; default 10,000. */
  readonly lagEveryMs?: number
  /** How many pages may be open at once. 1 to 1,000; default 20. */
  readonly maxViewers?: number
}

/** The same, with everything in it. */
export interface ResolvedDashboardOptions {
  readonly port: number
  readonly host: string
  readonly hosts: readonly string[]
  readonly token: string | undefined
  /** Whether reading needs the token, too. */
  readonly isExposed: boolean
  readonly everyMs: number
  /** Absent: it is not measured. */
  readonly lagEveryMs: number | undefined
  readonly maxViewers: number
}

const NAMES = ['port', 'host', 'hosts', 'token', 'everyMs', 'lag', 'lagEveryMs', 'maxViewers']
const METHODS = ['status', 'lag', 'reset', 'release', 'pause', 'resume', 'move']
const TOKEN = /^[\x21-\x7e]{16,200}$/

/** Checks what is to be shown. @throws OptionError */
export function checkFleet(fleet: DashboardFleet): DashboardFleet {
  const checked = checkMethods('fleet', fleet, METHODS, 'a Fleet, as openFleet() of millrace/operate makes it')
  if (checked === undefined) throw new OptionError('fleet', 'is missing, expected a Fleet')
  return checked
}

/** Checks the options. @throws OptionError; none of them shows the token */
export function resolveDashboard(given: DashboardOptions): ResolvedDashboardOptions {
  const options = checkGroup<DashboardOptions>('options', given, NAMES)
  const { token, hosts = [] } = options
  if (token !== undefined && (typeof token !== 'string' || !TOKEN.test(token))) {
    throw new OptionError('token', 'is not fit to be one, expected 16 to 200 visible ASCII characters without spaces')
  }
  if (!Array.isArray(hosts)) throw new OptionError('hosts', `is ${show(hosts)}, expected an array of names`)
  const host = checkText('host', options.host ?? '127.0.0.1', /^[\w.:-]+$/, 'an address to listen on')
  const isExposed = !isLoopbackAddress(host)
  if (isExposed && token === undefined) {
    throw new OptionError(
      'token',
      `is missing, expected one because others can reach ${host}: they would see the names of workers and what they tell of their troubles`
    )
  }
  const looks = { min: 500, max: 600_000, unit: 'milliseconds' }
  const lags = { min: 2_000, max: 600_000, unit: 'milliseconds' }
  const lagEveryMs = checkInteger('lagEveryMs', options.lagEveryMs, lags, 10_000)
  return {
    port: checkInteger('port', options.port, { min: 0, max: 65_535 }, 8787),
    ...{ host, isExposed, token },
    hosts: hosts.map((name, index) =>
      checkText(`hosts[${index}]`, name, /^[a-zA-Z0-9._-]+$/, 'the name of a host, without a port').toLowerCase()
    ),
    everyMs: checkInteger('everyMs', options.everyMs, looks, 2_000),
    lagEveryMs: checkBoolean('lag', options.lag, true) ? lagEveryMs : undefined,
    maxViewers: checkInteger('maxViewers', options.maxViewers, { min: 1, max: 1_000 }, 20)
  }
}
