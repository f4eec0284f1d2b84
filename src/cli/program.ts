// The program `millrace`: its commands, the flags that they share, and what becomes of their errors.
import { Command, CommanderError } from 'commander'
import { ConsumerError, messageOf, OptionError } from '../model/errors.ts'
import type { AwsFlags } from './aws-flag-rules.ts'
import { exportCommand, importCommand } from './checkpoint-commands.ts'
import type { CliPorts } from './cli-ports.ts'
import { type CommandSpec, contextOf } from './command.ts'
import { completionCommand } from './completion-command.ts'
import { costCommand } from './cost-command.ts'
import { dashboardCommand } from './dashboard-command.ts'
import { doctorCommand } from './doctor-command.ts'
import { EXIT } from './exit-codes.ts'
import { Interruption } from './interruption.ts'
import { lagCommand } from './lag-command.ts'
import { localCommand } from './local-command.ts'
import { migrateCommand } from './migrate-command.ts'
import { multilangCommand } from './multilang-command.ts'
import { putCommand } from './put-command.ts'
import { redriveCommand } from './redrive-command.ts'
import { resetCommand } from './reset-command.ts'
import { runCommand } from './run-command.ts'
import { statusCommand } from './status-command.ts'
import { moveCommand, pauseCommand, releaseCommand, resumeCommand } from './steer-commands.ts'
import { tailCommand } from './tail-command.ts'
import { watchCommand } from './watch-command.ts'

const COMMANDS: readonly CommandSpec[] = [
  ...[runCommand, multilangCommand, localCommand, putCommand, tailCommand],
  ...[statusCommand, watchCommand, dashboardCommand, lagCommand],
  ...[resetCommand, releaseCommand, pauseCommand, resumeCommand, moveCommand],
  ...[migrateCommand, doctorCommand, exportCommand, importCommand, redriveCommand, costCommand]
]

/** The program, and what the command that ran ended with. */
export interface Program {
  readonly command: Command
  readonly exitCode: () => number
}

/** The program with all of its commands. Parsing a command line runs one of them. */
export function makeProgram(ports: CliPorts, version: string): Program {
  let exitCode: number = EXIT.ok
  const program = new Command('millrace')
    .description('Runs and operates consumers of Amazon Kinesis Data Streams.')
    .version(version, '-v, --version', 'print the version')
    .helpCommand(false)
    .showHelpAfterError('Add --help for what there is.')
    .exitOverride()
    .configureOutput({
      writeOut: text => void ports.stdout.write(text),
      writeErr: text => void ports.stderr.write(text)
    })
  for (const spec of [...COMMANDS, completionCommand(() => program)]) {
    const command = program.command(spec.name).description(spec.summary)
    spec.define(command)
    if (spec.usesAws) addAwsFlags(command)
    command.option('-j, --json', 'print JSON, for programs')
    command.action(async (...given: unknown[]) => {
      const flags = command.opts() as AwsFlags & { readonly json?: boolean }
      exitCode = await spec.run(contextOf(ports, flags), given.slice(0, -2), flags)
    })
  }
  return { command: program, exitCode: () => exitCode }
}

/** Runs one command line. Resolves with the exit code; never rejects. */
export async function runCli(argv: readonly string[], ports: CliPorts, version: string): Promise<number> {
  const { command, exitCode } = makeProgram(ports, version)
  try {
    if (argv.length === 0) {
      command.outputHelp()
      return EXIT.ok
    }
    await command.parseAsync(argv, { from: 'user' })
    return exitCode()
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    ports.stderr.write(`${told(error, argv)}\n`)
    if (error instanceof Interruption) return error.exitCode
    return error instanceof OptionError ? EXIT.usage : EXIT.failed
  }
}

function addAwsFlags(command: Command): void {
  command
    .option('--endpoint <url>', 'of Kinesis (default: what the environment says)')
    .option('--endpoint-dynamodb <url>', 'of DynamoDB (default: what the environment says)')
    .option('--region <region>', 'of AWS (default: what the environment says)')
    .option('--profile <name>', 'of the configuration of AWS (default: what the environment says)')
}

/** An error for whoever called: in one line, unless it is none of ours. */
function told(error: unknown, argv: readonly string[]): string {
  const message = messageOf(error)
  if (argv.includes('--json') || argv.includes('-j')) {
    const code = error instanceof Interruption ? 'INTERRUPTED' : error instanceof ConsumerError ? error.code : 'OTHER'
    return JSON.stringify({ error: { code, message } })
  }
  if (error instanceof ConsumerError || error instanceof Interruption) return `millrace: ${message}`
  return error instanceof Error && error.stack !== undefined ? error.stack : `millrace: ${message}`
}
