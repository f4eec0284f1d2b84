#!/usr/bin/env node
// The program `millrace` as a process: opens the doors that the commands are handed, and ends with their exit code.
import { readFileSync } from 'node:fs'
import { sdkKinesis } from '../kinesis/sdk-kinesis.ts'
import { sdkPutRecords } from '../kinesis/sdk-put-records.ts'
import { systemClock } from '../runtime/clock.ts'
import { systemRandom } from '../runtime/random.ts'
import type { CliPorts, Output, StopSignal } from './cli-ports.ts'
import { EXIT } from './exit-codes.ts'
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

async function main(): Promise<void> {
  // On Node.js 20 the SDK says that it will want a later one, before anything that was asked for.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
  endWithReaders([process.stdout, process.stderr])
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  process.exitCode = await runCli(process.argv.slice(2), processPorts(), version)
  // A module of the user may have left something open that would keep the process alive.
  process.stdout.write('', () => process.stderr.write('', () => process.exit()))
}

await main()
