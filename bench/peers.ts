// The packages that Millrace is compared with. They have a folder of their own, so that nobody who installs Millrace, or
// works on it, gets them as well.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A user record as aws-kinesis-agg gives it, under the names of the older SDK. Data are in base64. */
export interface AggUserRecord {
  readonly partitionKey: string
  readonly data: string
}

/** aws-kinesis-agg, as far as it is used here. */
export interface AggOfAws {
  deaggregateSync(
    record: object,
    computeChecksums: boolean,
    done: (error: Error | undefined | null, users?: readonly AggUserRecord[]) => void
  ): void
}

/** A consumer of lifion-kinesis, as far as it is used here. */
export interface LifionConsumer {
  startConsumer(): Promise<void>
  on(event: 'error', listener: (error: Error) => void): void
  on(event: 'data', listener: (batch: { readonly records: readonly LifionRecord[] }) => void): void
}

/** A record of lifion-kinesis; its payload was JSON. */
export interface LifionRecord {
  readonly partitionKey: string
  readonly data: { readonly text: string; readonly sentAtMs?: number }
}

const FOLDER = fileURLToPath(new URL('.', import.meta.url))
const PEERS = ['aws-kinesis-agg', 'lifion-kinesis'] as const
const require = createRequire(import.meta.url)

/** aws-kinesis-agg. Throws if the peers are not installed. */
export function aggOfAws(): AggOfAws {
  return require('aws-kinesis-agg') as AggOfAws
}

/** The class of lifion-kinesis. Throws if the peers are not installed. */
export function lifionKinesis(): new (options: object) => LifionConsumer {
  return require('lifion-kinesis') as new (
    options: object
  ) => LifionConsumer
}

/** Installs the peers unless they are there. Throws an Error that says what npm said if that fails. */
export function installPeers(say: (line: string) => void): void {
  const wanted = JSON.parse(readFileSync(join(FOLDER, 'package.json'), 'utf8')).dependencies as Record<string, string>
  if (PEERS.every(name => installedVersion(name) === wanted[name])) return
  say('installing what is compared with, once: npm ci in bench/')
  const parameters = ['ci', '--ignore-scripts', '--no-audit', '--no-fund']
  const { status, stderr } = spawnSync('npm', parameters, { cwd: FOLDER, encoding: 'utf8', shell: false })
  if (status !== 0) throw new Error(`npm ci in bench/ failed: ${stderr}`)
}

/** The versions of the peers. */
export function peerVersions(): Record<string, string> {
  return Object.fromEntries(PEERS.map(name => [name, installedVersion(name) ?? 'not installed']))
}

function installedVersion(name: string): string | undefined {
  const path = join(FOLDER, 'node_modules', name, 'package.json')
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')).version as string) : undefined
}
