// millrace completion: the script that completes this program's command line in a shell.
import type { Command } from 'commander'
import type { CommandContext, CommandSpec } from './command.ts'
import { type CompletedCommand, completionScript, SHELLS } from './completion-rules.ts'
import { EXIT } from './exit-codes.ts'
import { MIGRATION_SIDES } from './migrate-command.ts'
import { LOG_LEVELS } from './run-view.ts'
import { oneOf } from './value-rules.ts'

/**
 * Prints completion scripts.
 *
 * @param program asked when it runs: by then it has all its commands
 */
export function completionCommand(program: () => Command): CommandSpec {
  return {
    name: 'completion',
    summary: 'print the script that completes this command line in a shell',
    usesAws: false,
    define: command => command.argument('<shell>', SHELLS.join(', ')),
    run: async ({ terminal }: CommandContext, [shell]: readonly unknown[]) => {
      const script = completionScript(oneOf('shell', String(shell), SHELLS), program().name(), completed(program()))
      if (terminal.isJson) await terminal.json({ shell, script })
      else await terminal.write(script)
      return EXIT.ok
    }
  }
}

function completed(program: Command): CompletedCommand[] {
  return program.commands.map(command => {
    const [first] = command.registeredArguments
    return {
      name: command.name(),
      summary: command.description(),
      flags: command
        .createHelp()
        .visibleOptions(command)
        .map(({ long, short, description, required, optional, flags }) => ({
          long: long ?? '',
          short,
          summary: description,
          takesValue: required || optional,
          takesFiles: flags.includes('<file>'),
          words: flags.includes('<level>') ? LOG_LEVELS : flags.includes('<side>') ? MIGRATION_SIDES : []
        })),
      takesFiles: ['file', 'source'].includes(first?.name() ?? ''),
      words: command.name() === 'completion' ? SHELLS : []
    }
  })
}
