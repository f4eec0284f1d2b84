// What a command of the program is: how it is called, and what it does with what it was called with.
import type { Command } from 'commander'
import { type AwsFlags, type ClientConfigs, clientConfigs } from './aws-flag-rules.ts'
import type { CliPorts } from './cli-ports.ts'
import { Terminal } from './terminal.ts'

/** What a command runs with. */
export interface CommandContext {
  readonly ports: CliPorts
  readonly terminal: Terminal
  /** Which Kinesis and which DynamoDB. */
  readonly clients: ClientConfigs
}

/** One command. */
export interface CommandSpec {
  readonly name: string
  /** One line, without a full stop. */
  readonly summary: string
  /** Whether it talks to AWS, and so has the flags that say where that is. */
  readonly usesAws: boolean
  /** Adds arguments, flags and examples. */
  readonly define: (command: Command) => void
  /**
   * Runs it. Resolves with the exit code; rejects with an OptionError if it was called wrongly.
   *
   * @param args the arguments in order, those that were left out `undefined`
   * @param flags by their names in camel case
   */
  readonly run: (context: CommandContext, args: readonly unknown[], flags: object) => Promise<number>
}

/** What a command runs with, as flags ask for. */
export function contextOf(ports: CliPorts, flags: AwsFlags & { readonly json?: boolean }): CommandContext {
  return { ports, terminal: new Terminal(ports, flags.json === true), clients: clientConfigs(flags, ports.env) }
}

/** Collects the values of a flag that may be given more than once. */
export function collected(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value]
}
