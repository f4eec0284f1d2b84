// DynamoDB for a run: dynalite, which is all that KCL 2.x needs, or moto, which has what KCL 3.x asks for beyond that.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Emulator, emulatorAt, startDynalite } from '../../examples/support/emulators.ts'

/** Which emulator of DynamoDB. */
export type TablesKind = 'dynalite' | 'moto'

const NEEDS = `KCL 3.x needs an index that is added to a table that exists, and conditional writes that tell what was there. Of the
emulators of DynamoDB that can be had under an open licence, moto has both: install it with
  python3 -m venv .venv && .venv/bin/pip install 'moto[server,dynamodb]'
and say --python .venv/bin/python`

/** Which emulator a release of KCL needs at least. */
export function tablesFor(kclVersion: string): TablesKind {
  return kclVersion.startsWith('2.') ? 'dynalite' : 'moto'
}

/** @throws Error that says what is missing */
export async function checkTables(kind: TablesKind, python: string): Promise<void> {
  if (kind === 'moto') await (await startTables(kind, python)).close()
}

/** Starts it. `python`: one that has moto. @throws Error that says what is missing */
export async function startTables(kind: TablesKind, python: string): Promise<Emulator> {
  if (kind === 'dynalite') return await startDynalite()
  const child = spawn(python, [join(import.meta.dirname, '../support/moto-tables.py')], {
    stdio: ['pipe', 'pipe', 'pipe']
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    said = (said + text).slice(-2_000)
  })
  const failed = once(child, 'exit').then(
    () => new Error(`moto could not be started with ${python}. ${NEEDS}\n\n${said}`),
    (error: Error) => new Error(`${python} could not be run: ${error.message}. ${NEEDS}`)
  )
  const lines = createInterface({ input: child.stdout })
  const port = await Promise.race([once(lines, 'line').then(([line]) => Number(line)), failed])
  if (port instanceof Error) throw port
  return emulatorAt(`http://127.0.0.1:${port}`, async () => {
    child.kill('SIGKILL')
  })
}
