// millrace export and import: the checkpoints of an application in a file, and back.
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { messageOf, OptionError } from '../model/errors.ts'
import type { CommandContext, CommandSpec } from './command.ts'
import { EXIT } from './exit-codes.ts'
import { addFleetFlags, type FleetFlags, overFleet } from './fleet-flags.ts'
import { type OperationFlags, operate } from './fleet-operation.ts'
import { resetLines } from './reset-command.ts'
import { plural } from './text-rules.ts'
import { pathIn } from './user-module.ts'
import { quoted } from './value-rules.ts'

/** Takes checkpoints out. */
export const exportCommand: CommandSpec = {
  name: 'export',
  summary: 'write the checkpoints of an application to a file, or to standard output',
  usesAws: true,
  define: command => addFleetFlags(command.argument('[file]', 'file to write; without it, standard output')),
  run: exportTo
}

/** Brings checkpoints back. */
export const importCommand: CommandSpec = {
  name: 'import',
  summary: 'bring back checkpoints that were exported, also while the application runs',
  usesAws: true,
  define: command =>
    addFleetFlags(command.argument('<file>', 'file to read, as millrace export has written it'))
      .option('--timeout <duration>', 'how long to wait until everybody has let go (default: 3m)')
      .option('-y, --yes', 'do not ask'),
  run: importFrom
}

async function exportTo(context: CommandContext, [file]: readonly unknown[], given: object): Promise<number> {
  const { ports, terminal } = context
  return overFleet(context, given as FleetFlags, async (fleet, signal) => {
    const exported = await fleet.exportCheckpoints({ signal })
    const text = `${JSON.stringify(exported, undefined, 2)}\n`
    if (file === undefined) await terminal.write(text)
    else {
      const path = pathIn(ports.cwd, String(file))
      // Not over a file that is there: it may be the only copy of what was.
      await writeFile(path, text, { flag: 'wx' }).catch(cause => {
        throw new OptionError('file', `is ${quoted(path)}, which cannot be written: ${messageOf(cause)}`, { cause })
      })
      const shards = exported.leases.length
      if (terminal.isJson) await terminal.json({ file: path, shards })
      terminal.remark(`the checkpoints of ${plural(shards, 'shard')} are in ${path}`)
    }
    return EXIT.ok
  })
}

async function importFrom(context: CommandContext, [file]: readonly unknown[], given: object): Promise<number> {
  const flags = given as OperationFlags
  const { ports, terminal } = context
  const data = parsed(pathIn(ports.cwd, String(file)))
  const what = `This has ${flags.app} begin again at the checkpoints in ${file}: what it has processed since is processed again.`
  return operate(context, flags, what, async (fleet, options) => {
    const report = await fleet.importCheckpoints(data, options)
    return { result: report, lines: resetLines(report, terminal.colors.dim) }
  })
}

function parsed(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new OptionError('file', `is ${quoted(path)}, expected JSON as millrace export writes it`, { cause })
  }
}
