// The process that the program runs in: the doors that the commands are handed, and how it ends.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { delimiter } from 'node:path'
import { sdkKinesis } from '../kinesis/sdk-kinesis.ts'
import { sdkPutRecords } from '../kinesis/sdk-put-records.ts'
import { systemClock } from '../runtime/clock.ts'
import { systemRandom } from '../runtime/random.ts'
import type { CliPorts, Output, StopSignal } from './cli-ports.ts'
import { EXIT } from './exit-codes.ts'
import { type FileFacts, javaWish } from './java-rules.ts'
import { runCli } from './program.ts'

const SIGNALS: readonly StopSignal[] = ['SIGINT', 'SIGTERM']

function processPorts(): CliPorts {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    clock: systemClock,
    random: systemRandom,
    onSignal: listener => {
      for (const signal of SIGNALS) process.on(signal, listener)
      return () => {
        for (const signal of SIGNALS) process.off(signal, listener)
      }
    },
    exit: code => process.exit(code),
    openKinesis: (streamName, client) => sdkKinesis({ stream: streamOf(streamName), client, clock: systemClock }),
    openPut: (streamName, client) => sdkPutRecords({ stream: streamOf(streamName), client, clock: systemClock }),
    workerPorts: {}
  }
}

function streamOf(name: string): { readonly streamName: string } | { readonly streamArn: string } {
  return name.startsWith('arn:') ? { streamArn: name } : { streamName: name }
}

/** Whoever read the output, as in `millrace tail orders | head`, has seen enough. */
function endWithReaders(outputs: readonly Output[]): void {
  for (const output of outputs) output.on('error', () => process.exit(EXIT.ok))
}

function ownVersion(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
}

/** Runs the command line of this process, and ends it with the exit code. */
export async function runProcess(argv: readonly string[] = process.argv.slice(2)): Promise<void> {
  await finishWith(await codeOf(argv))
}

/** Runs the command line of this process as one of `java`, and ends it as Java's daemon would: with 0 or 1. */
export async function runAsJava(): Promise<void> {
  const wish = javaWish(process.argv.slice(2), fileFacts())
  switch (wish.kind) {
    case 'version':
      process[wish.to].write(`millrace ${ownVersion()}, in place of java for KCL's multi-language daemon\n`)
      return
    case 'refused':
      process.stderr.write(`millrace: ${wish.problem}\n`)
      process.exitCode = EXIT.failed
      return
    case 'daemon': {
      if (wish.ignored.length > 0) {
        process.stderr.write(`millrace: options of the JVM have no effect here: ${wish.ignored.join(' ')}\n`)
      }
      const code = await codeOf(wish.argv)
      await finishWith(code === EXIT.usage ? EXIT.failed : code)
    }
  }
}

function codeOf(argv: readonly string[]): Promise<number> {
  // On Node.js 20 the SDK says that it will want a later one, before anything that was asked for.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
  endWithReaders([process.stdout, process.stderr])
  return runCli(argv, processPorts(), ownVersion())
}

async function finishWith(code: number): Promise<void> {
  process.exitCode = code
  // A module of the user may have left something open that would keep the process alive.
  process.stdout.write('', () => process.stderr.write('', () => process.exit()))
}

function fileFacts(): FileFacts {
  return { delimiter, isFile: path => existsSync(path) && statSync(path).isFile() }
}
