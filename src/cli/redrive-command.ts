// millrace redrive: dead letters processed again, by a stream or by a function of the user.
import { readFileDeadLetters } from '../dead-letters/file-letter-source.ts'
import type { StreamTarget } from '../dead-letters/kinesis-dead-letters.ts'
import type { DeadLetterSource } from '../dead-letters/letter-source.ts'
import { type RedriveCallback, type RedriveReport, redriveDeadLetters } from '../dead-letters/redrive.ts'
import { messageOf, OptionError } from '../model/errors.ts'
import type { DeadLetter } from '../processor/dead-letter.ts'
import { type CommandContext, type CommandSpec, collected } from './command.ts'
import { confirmed } from './confirmation.ts'
import { EXIT } from './exit-codes.ts'
import { interruptible } from './interruption.ts'
import { loadPeer } from './peers.ts'
import { count, plural, printable } from './text-rules.ts'
import { loadModule, pathIn } from './user-module.ts'
import { quoted, wholeNumber } from './value-rules.ts'

interface RedriveFlags {
  readonly to?: string
  readonly module?: string
  readonly error?: readonly string[]
  readonly shard?: readonly string[]
  readonly limit?: string
  readonly concurrency: string
  readonly dryRun?: boolean
  readonly delete?: boolean
  readonly yes?: boolean
}

/** Processes dead letters again. */
export const redriveCommand: CommandSpec = {
  name: 'redrive',
  summary: 'process dead letters again: put them back into a stream, or call a function with each',
  usesAws: true,
  define: command =>
    command
      .argument('<source>', 'a file of letters, the URL of an SQS queue, or s3://bucket/prefix')
      .option('-t, --to <stream>', 'put the records back into this stream, under the keys that they had')
      .option('-m, --module <file>', 'call the function that this module exports as redrive with each letter')
      .option('--error <name>', 'only letters of this error, such as TypeError; again for more', collected)
      .option('-s, --shard <id>', 'only letters of this shard; again for more', collected)
      .option('-n, --limit <count>', 'end after so many letters')
      .option('-c, --concurrency <count>', 'how many letters at a time', '1')
      .option('--delete', 'delete an object of S3 once all of its letters are done with')
      .option('--dry-run', 'count only: none is handed on, all are kept')
      .option('-y, --yes', 'do not ask'),
  run: redrive
}

async function redrive(context: CommandContext, [from]: readonly unknown[], given: object): Promise<number> {
  const flags = given as RedriveFlags
  const { ports, terminal } = context
  const concurrency = wholeNumber('--concurrency', flags.concurrency, { min: 1, max: 1_000 })
  const limit = flags.limit === undefined ? undefined : wholeNumber('--limit', flags.limit, { min: 1, max: 1e9 })
  const source = await sourceOf(context, String(from), flags)
  const to = await targetOf(context, flags)
  const isMeant = filterOf(flags)
  const dryRun = flags.dryRun === true
  if (!dryRun && !(await confirmed(context, consequence(source, flags), flags))) {
    terminal.remark('Nothing was done.')
    return EXIT.failed
  }
  return interruptible(ports, async signal => {
    const report = await redriveDeadLetters(
      {
        from: source,
        to,
        filter: isMeant,
        ...{ concurrency, dryRun, signal },
        ...(limit !== undefined && { limit }),
        onFailure: ({ at, error }) => {
          terminal.stderr.write(`${printable(at)}: ${printable(messageOf(error))}\n`)
        }
      },
      ports
    )
    if (terminal.isJson) await terminal.json({ source: source.name, dryRun, ...report })
    else await terminal.line(told(report, dryRun))
    return report.failed === 0 ? EXIT.ok : EXIT.failed
  })
}

/** Where the letters are: known by what it looks like. */
async function sourceOf(
  { ports, clients }: CommandContext,
  from: string,
  { delete: deleteWhenDone = false }: RedriveFlags
): Promise<DeadLetterSource> {
  const { endpoint: _, ...client } = clients.kinesis
  const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)\/?(.*)$/.exec(from) ?? []
  if (deleteWhenDone && bucket === undefined) {
    throw new OptionError('--delete', `is given with ${quoted(from)}, expected s3://bucket/prefix with it`)
  }
  if (bucket !== undefined) {
    const { readS3DeadLetters } = await loadPeer(
      '@aws-sdk/client-s3',
      () => import('../dead-letters/s3-letter-source.ts')
    )
    return readS3DeadLetters({ bucket, prefix, deleteWhenDone, client }, ports)
  }
  if (/^https?:\/\//.test(from)) {
    const { readSqsDeadLetters } = await loadPeer(
      '@aws-sdk/client-sqs',
      () => import('../dead-letters/sqs-letter-source.ts')
    )
    return readSqsDeadLetters({ queueUrl: from, client }, ports)
  }
  return readFileDeadLetters(pathIn(ports.cwd, from))
}

async function targetOf(
  { ports, clients }: CommandContext,
  { to, module, dryRun }: RedriveFlags
): Promise<RedriveCallback | StreamTarget> {
  if (to !== undefined && module !== undefined) {
    throw new OptionError('--module', 'is given beside --to, expected one of them')
  }
  if (to !== undefined) {
    const stream = to.startsWith('arn:') ? { streamArn: to } : { streamName: to }
    return { ...stream, client: clients.kinesis }
  }
  if (module === undefined) {
    if (dryRun === true) return () => {}
    throw new OptionError('--to', 'is missing, and so is --module: expected a stream, or a module with a function')
  }
  const { redrive: named, default: main } = (await loadModule(pathIn(ports.cwd, module))) as Record<string, unknown>
  const callback = named ?? main
  if (typeof callback === 'function') return callback as RedriveCallback
  throw new OptionError('--module', `is ${quoted(module)}, expected a module that exports a function redrive`)
}

function filterOf({ error: errors = [], shard: shards = [] }: RedriveFlags): (letter: DeadLetter) => boolean {
  // What was thrown is data here, as it stands in the letter.
  return ({ error: what, shardId }) => {
    const isOfError = errors.length === 0 || errors.some(each => each === what.name)
    return isOfError && (shards.length === 0 || shards.includes(shardId))
  }
}

function consequence({ name }: DeadLetterSource, { to, module, delete: isDeleting = false }: RedriveFlags): string {
  const what =
    to === undefined
      ? `This calls the function of ${module} with each letter of ${name}.`
      : `This puts the letters of ${name} into ${to}: every application that reads ${to} sees those records again.`
  const isRemoved = isDeleting || name.startsWith('sqs ')
  return isRemoved ? `${what} Letters that are done with are deleted.` : what
}

function told({ read, redriven, skipped, failed }: RedriveReport, dryRun: boolean): string {
  const done = dryRun ? 'would be redriven' : 'redriven'
  return `${plural(read, 'letter')} read: ${count(redriven)} ${done}, ${count(skipped)} skipped, ${count(failed)} failed`
}
