// millrace run: a module of the user as a worker, from start to a clean stop.
import type { KinesisClientOption } from '../kinesis/sdk-kinesis.ts'
import { OptionError } from '../model/errors.ts'
import type { StartPosition } from '../model/start-position.ts'
import type { Logger } from '../runtime/logger.ts'
import { serveHealth } from '../serving/health-endpoint.ts'
import type { WorkerOptions } from '../worker/options.ts'
import { DEFAULT_GRACE_MS } from '../worker/stop-options.ts'
import { Worker } from '../worker/worker.ts'
import type { ClientConfig } from './aws-flag-rules.ts'
import type { CommandContext, CommandSpec } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { interruptible } from './interruption.ts'
import { type ModuleOptions, optionsOf } from './module-rules.ts'
import { RunBoard } from './run-board.ts'
import { type RunMetrics, runMetrics } from './run-metrics.ts'
import { boardLogger, isDrawable, jsonLogger, LOG_LEVELS, lineView, liveView, tellEvents } from './run-view.ts'
import { loadModule, pathIn } from './user-module.ts'
import { durationMs, oneOf, startPosition, wholeNumber } from './value-rules.ts'

interface RunFlags {
  readonly stream?: string
  readonly app?: string
  readonly from?: string
  readonly workerId?: string
  readonly fanOut?: boolean
  readonly maxLeases?: string
  readonly perShard?: string
  readonly healthPort?: string
  readonly healthHost?: string
  readonly grace?: string
  readonly logLevel: string
}

/** Runs a worker. */
export const runCommand: CommandSpec = {
  name: 'run',
  summary: 'run a module that processes records as a worker, until Ctrl-C',
  usesAws: true,
  define: command =>
    command
      .argument('<file>', 'module, in TypeScript or JavaScript: exports a processor class, handler, each, or options')
      .option('-s, --stream <name>', 'stream to read, by name or ARN')
      .option('-a, --app <name>', 'name of the application, and of its lease table')
      .option(
        '-f, --from <position>',
        'where to begin in shards that are new: trim, latest, a time, or 5m for five minutes ago (default: latest)'
      )
      .option('--worker-id <name>', 'name of this worker')
      .option('--fan-out', 'read by enhanced fan-out, as a consumer with the name of the application')
      .option('--max-leases <count>', 'read so many shards at most')
      .option('--per-shard <count>', 'so many calls at once in a shard, in order by key')
      .option('--health-port <port>', 'serve /livez, /readyz, /status and, with prom-client, /metrics there')
      .option('--health-host <address>', 'address to serve them on (default: 127.0.0.1)')
      .option('--grace <duration>', 'how long a stop waits for calls under way (default: 30s)')
      .option('--log-level <level>', `of the log, where there is no terminal: ${LOG_LEVELS.join(', ')}`, 'info'),
  run
}

async function run(context: CommandContext, [file]: readonly unknown[], given: object): Promise<number> {
  const flags = given as RunFlags
  const { ports, terminal } = context
  const { clock, random } = ports
  const graceMs = flags.grace === undefined ? DEFAULT_GRACE_MS : durationMs('--grace', flags.grace)
  const logLevel = oneOf('--log-level', flags.logLevel, LOG_LEVELS)
  const health = healthOptions(flags)
  const module = optionsOf(await loadModule(pathIn(ports.cwd, String(file))), String(file))
  const isLive = isDrawable(terminal, ports.env)
  let board: RunBoard | undefined
  const log = isLive ? boardLogger(() => board) : jsonLogger(terminal.stderr, clock, logLevel)
  const { metrics, served }: RunMetrics = health === undefined ? {} : await runMetrics(module.metrics)
  const options = workerOptions(context, flags, { ...(metrics && { metrics }), ...module }, log)
  const worker = new Worker(options, { clock, random, ...ports.workerPorts })
  const one = options.source?.streamName ?? options.streamName ?? options.streamArn
  const streamName = one ?? (options.streams === undefined ? '' : 'several streams')
  board = new RunBoard(worker, clock, { streamName, applicationName: options.applicationName })
  tellEvents(worker, log)
  const endpoint =
    health === undefined
      ? undefined
      : await serveHealth(worker, { ...health, ...(served && { metrics: served }) }, { clock })
  if (endpoint !== undefined) log.info({ url: endpoint.url }, 'health is served')
  const view = isLive ? liveView(terminal, clock, board) : lineView(log, clock, board)
  try {
    const stop = (): void => {
      if (isLive) log.info({}, 'stopping: calls under way are waited for; Ctrl-C again ends at once')
      void worker.stop({ graceMs })
    }
    await interruptible(
      ports,
      async () => {
        await worker.start()
        await worker.finished
      },
      stop
    )
  } finally {
    await view.stop()
    await endpoint?.close()
  }
  return board.abandoned.length === 0 ? EXIT.ok : EXIT.red
}

/** What the worker is made with: what the command line says, and for the rest what the module does. */
function workerOptions(
  { ports, clients }: CommandContext,
  flags: RunFlags,
  module: ModuleOptions,
  logger: Logger
): WorkerOptions {
  const stream = flags.stream?.startsWith('arn:') ? { streamArn: flags.stream } : { streamName: flags.stream }
  const { streamName, streamArn, streams, source, ...others } = module
  if (flags.stream !== undefined && streams !== undefined) {
    throw new OptionError(
      '--stream',
      `is ${flags.stream}, but the options of the module name several streams: expected it without`
    )
  }
  const given =
    flags.stream === undefined
      ? {
          ...(streamName !== undefined && { streamName }),
          ...(streamArn !== undefined && { streamArn }),
          ...(streams !== undefined && { streams }),
          ...(source !== undefined && { source })
        }
      : stream
  if (Object.keys(given).length === 0) {
    throw new OptionError('--stream', 'is missing, and the options of the module name no stream either')
  }
  const applicationName = flags.app ?? module.applicationName
  if (applicationName === undefined) {
    throw new OptionError('--app', 'is missing, and the options of the module have no applicationName either')
  }
  const startAt: StartPosition | undefined =
    flags.from === undefined ? undefined : startPosition('--from', flags.from, ports.clock.epochMs())
  const many = { min: 1, max: 1_000_000 }
  return {
    logger,
    ...others,
    ...given,
    applicationName,
    ...(startAt !== undefined && { startAt }),
    ...(flags.workerId !== undefined && { workerId: flags.workerId }),
    ...(flags.fanOut === true && { retrieval: { ...Object(module.retrieval), mode: 'fan-out' } }),
    ...(flags.maxLeases !== undefined && {
      leases: { ...Object(module.leases), maxLeases: wholeNumber('--max-leases', flags.maxLeases, many) }
    }),
    ...(flags.perShard !== undefined && {
      concurrency: { ...Object(module.concurrency), perShard: wholeNumber('--per-shard', flags.perShard, many) }
    }),
    ...('source' in given ? {} : clientOption('kinesis', clients.kinesis, module.kinesis)),
    ...clientOption('dynamodb', clients.dynamodb, module.dynamodb)
  } as unknown as WorkerOptions
}

/** A client that the module made itself is used as it is, unless the command line says where to go. */
function clientOption(
  name: string,
  config: ClientConfig,
  given: unknown
): Readonly<Record<string, KinesisClientOption>> {
  if (Object.keys(config).length === 0) return {}
  const isClient = typeof Object(given).send === 'function'
  return { [name]: { ...(isClient ? {} : Object(given)), ...config } }
}

function healthOptions({ healthPort, healthHost }: RunFlags): { port: number; host?: string } | undefined {
  if (healthPort === undefined) {
    if (healthHost === undefined) return undefined
    throw new OptionError('--health-host', 'is given without --health-port, expected both')
  }
  const port = wholeNumber('--health-port', healthPort, { min: 0, max: 65_535 })
  return { port, ...(healthHost !== undefined && { host: healthHost }) }
}
