// millrace multilang: KCL's multi-language daemon without a JVM, made from the same .properties file.
import { accessSync, constants } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { messageOf, OptionError } from '../model/errors.ts'
import { type MultilangPorts, runMultilang } from '../multilang/daemon.ts'
import type { DaemonPlan } from '../multilang/daemon-plan.ts'
import { findingText, levelOf, problemText } from '../multilang/finding-rules.ts'
import { openDaemon } from '../multilang/open-daemon.ts'
import { parseProperties } from '../multilang/properties.ts'
import type { Finding, FindingKind } from '../multilang/property-rules.ts'
import { planSettings, type SettingsOutcome } from '../multilang/settings-rules.ts'
import type { Logger } from '../runtime/logger.ts'
import { type HealthEndpoint, serveHealth } from '../serving/health-endpoint.ts'
import type { CliPorts, StopSignal } from './cli-ports.ts'
import type { CommandContext, CommandSpec } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { type RunMetrics, runMetrics } from './run-metrics.ts'
import { jsonLogger, tellEvents } from './run-view.ts'
import { pathIn } from './user-module.ts'
import { quoted } from './value-rules.ts'

interface MultilangFlags {
  readonly properties?: string
  readonly logConfiguration?: string
  readonly check?: boolean
  readonly javaPath?: boolean
}

/** Signals that come together are one, as in {@link interruptible}. Milliseconds. */
const TOGETHER_MS = 500

/** Runs the daemon. */
export const multilangCommand: CommandSpec = {
  name: 'multilang',
  summary: 'run processors in other languages, in place of the multi-language daemon of KCL',
  usesAws: false,
  define: command =>
    command
      .argument('[file]', '.properties file, as KCL reads it')
      .option('-p, --properties <file>', 'the same; wins over the argument')
      .option('-l, --log-configuration <file>', 'is one of the JVM (logback), and has no effect')
      .option('--check', 'say what each entry of the file comes to, and start nothing')
      .option('--java-path', "print what the bootstrap programs of KCL's clients take for --java, and start nothing"),
  run: multilang
}

async function multilang(context: CommandContext, [file]: readonly unknown[], given: object): Promise<number> {
  const flags = given as MultilangFlags
  const { ports, terminal } = context
  if (flags.javaPath === true) return printJavaPath(context)
  const named = flags.properties ?? (file as string | undefined)
  if (named === undefined) throw new OptionError('file', 'is missing, expected a .properties file')
  const outcome = planSettings(parseProperties(await bytesOf(pathIn(ports.cwd, named), named)), ports.clock.epochMs())
  if (flags.check === true) return check(context, named, outcome)
  if (outcome.kind === 'refused') {
    tellProblems(context, named, outcome)
    return EXIT.failed
  }
  const { plan, findings } = outcome
  const logger = jsonLogger(terminal.stderr, ports.clock, plan.logLevel)
  tellFindings(logger, named, findings)
  if (flags.logConfiguration !== undefined) {
    const { logConfiguration } = flags
    logger.warn(
      { logConfiguration },
      'a log configuration is one of the JVM: millrace.logLevel in the file is what counts'
    )
  }
  return runDaemon(context, plan, logger)
}

async function bytesOf(path: string, named: string): Promise<Uint8Array> {
  try {
    return await readFile(path)
  } catch (cause) {
    throw new OptionError('file', `is ${quoted(named)}, which cannot be read: ${messageOf(cause)}`, { cause })
  }
}

async function runDaemon(context: CommandContext, plan: DaemonPlan, logger: Logger): Promise<number> {
  const { ports, terminal } = context
  const { clock, random, env, workerPorts } = ports
  const { metrics, served }: RunMetrics = plan.health === undefined ? {} : await runMetrics(undefined)
  const opening = { clock, random, env, logger, metrics, resolvePath: (path: string) => pathIn(ports.cwd, path) }
  const opened = await openDaemon(plan, opening)
  const requests = listenToRequests(ports, logger)
  const health = plan.health && { ...plan.health, ...(served && { metrics: served }) }
  let endpoint: Promise<HealthEndpoint | undefined> | undefined
  const serve: MultilangPorts['opened'] = worker => {
    tellEvents(worker, logger)
    if (health === undefined) return
    endpoint = serveHealth(worker, health, { clock }).catch(error => {
      logger.error({ err: error }, 'health cannot be served, and the daemon ends because of that')
      requests.fail()
      return undefined
    })
    void endpoint.then(served => served && logger.info({ url: served.url }, 'health is served'))
  }
  try {
    const { stop, hurry } = requests
    // The log is on standard error as well: what children write is there once.
    const isLogged = ['debug', 'info'].includes(plan.logLevel)
    const stderr = isLogged ? undefined : terminal.stderr
    const daemonPorts = { signal: stop, hurry, logger, stderr, clock, random, worker: workerPorts }
    const exitCode = await runMultilang(opened.settings, { ...daemonPorts, opened: serve })
    return requests.hasFailed() ? EXIT.failed : exitCode
  } finally {
    requests.end()
    opened.close()
    await (await endpoint)?.close()
  }
}

/** What the daemon was asked to do from outside. */
interface Requests {
  /** Aborts at the first signal, or when something fails without which it is not to run. */
  readonly stop: AbortSignal
  /** Aborts at the second signal: nothing is waited for any more. */
  readonly hurry: AbortSignal
  readonly fail: () => void
  readonly hasFailed: () => boolean
  readonly end: () => void
}

/** The first signal asks the daemon to stop in order, the second to hurry, the third ends the process at once. */
function listenToRequests({ onSignal, exit, clock }: CliPorts, logger: Logger): Requests {
  const [stopping, hurrying] = [new AbortController(), new AbortController()]
  let askedAtMs = Number.NEGATIVE_INFINITY
  let failed = false
  const heard = (name: StopSignal): void => {
    const nowMs = clock.monotonicMs()
    if (nowMs - askedAtMs < TOGETHER_MS) return
    askedAtMs = nowMs
    if (hurrying.signal.aborted) exit(name === 'SIGINT' ? EXIT.interrupted : EXIT.terminated)
    else if (stopping.signal.aborted) hurrying.abort('asked for twice')
    else {
      logger.info({ signal: name }, 'the daemon was asked to stop: children finish what they are at')
      stopping.abort('asked for')
    }
  }
  const end = onSignal(heard)
  return {
    ...{ stop: stopping.signal, hurry: hurrying.signal, end },
    hasFailed: () => failed,
    fail: () => {
      failed = true
      stopping.abort('failed')
    }
  }
}

const SENTENCES: Readonly<Record<FindingKind, string>> = {
  honoured: 'a property is honoured',
  missing: 'a property is not there',
  'no-effect': 'a property has no effect here',
  adjusted: 'a property is not taken as it stands',
  'not-applied': 'a property is not applied',
  unknown: 'a property is not known',
  overridden: 'a property does not count',
  ignored: 'a property is ignored'
}

function tellFindings(logger: Logger, file: string, findings: readonly Finding[]): void {
  for (const finding of findings) {
    const { kind, property, line, value, told } = finding
    // A sentence is chosen, not made: each of them is a constant.
    passOn(logger, levelOf(finding), { file, line, property, value, told }, SENTENCES[kind])
  }
}

function passOn(logger: Logger, level: ReturnType<typeof levelOf>, fields: object, sentence: string): void {
  logger[level](fields, sentence)
}

function tellProblems(
  { terminal }: CommandContext,
  file: string,
  outcome: SettingsOutcome & { kind: 'refused' }
): void {
  const { problems } = outcome
  const message = problems.map(problem => problemText(file, problem)).join('\n')
  if (terminal.isJson)
    terminal.stderr.write(`${JSON.stringify({ error: { code: 'BAD_PROPERTIES', message, problems } })}\n`)
  else terminal.stderr.write(`${message}\n`)
}

async function check(context: CommandContext, file: string, outcome: SettingsOutcome): Promise<number> {
  const { terminal } = context
  const { findings } = outcome
  const problems = outcome.kind === 'refused' ? outcome.problems : []
  if (terminal.isJson) await terminal.json({ file, findings, problems })
  else {
    const { colors } = terminal
    const paints = { debug: colors.green, info: colors.dim, warn: colors.yellow }
    for (const finding of findings) {
      const place = String(finding.line ?? '').padStart(5)
      await terminal.line(`${colors.dim(place)} ${paints[levelOf(finding)](findingText(finding))}`)
    }
    for (const problem of problems) await terminal.line(colors.red(problemText(file, problem)))
    const verdict = problems.length === 0 ? colors.green('A daemon can start with it.') : 'No daemon can start with it.'
    await terminal.line(verdict)
  }
  return problems.length === 0 ? EXIT.ok : EXIT.failed
}

/** Installed as a bin, it may be executed; where whoever installed it has left that out, somebody has to know. */
async function printJavaPath({ terminal }: CommandContext): Promise<number> {
  const file = import.meta.url.endsWith('.ts') ? './java.ts' : './java.js'
  const path = fileURLToPath(new URL(file, import.meta.url))
  try {
    accessSync(path, constants.X_OK)
  } catch {
    terminal.remark(`It may not be executed yet: chmod +x ${path}`)
  }
  if (terminal.isJson) await terminal.json({ path })
  else await terminal.line(path)
  return EXIT.ok
}
