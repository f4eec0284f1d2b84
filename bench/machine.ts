// What the benchmarks ran on: figures without it say nothing.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { pinning } from './child-process.ts'
import { ROOT } from './library.ts'
import { peerVersions } from './peers.ts'

/** The machine, what ran on it, and how busy it was before. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGigabytes: number
  readonly system: string
  readonly node: string
  readonly versions: Readonly<Record<string, string>>
  /** Load averages over 1, 5 and 15 minutes before the start. */
  readonly loadAverage: readonly number[]
  readonly pinning: string
  readonly startedAt: string
}

const PACKAGES = ['@aws-sdk/client-kinesis', '@smithy/node-http-handler', 'kinesalite', 'kinesis-local', 'dynalite']

/** Describes the machine as it is now. */
export function describeMachine(): Machine {
  const version = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version as string
  const versions = Object.fromEntries(PACKAGES.map(name => [name, versionOf(name)]))
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGigabytes: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    versions: { millrace: version, ...versions, ...peerVersions() },
    loadAverage: loadavg().map(load => Number(load.toFixed(2))),
    pinning: pinning(),
    startedAt: new Date().toISOString()
  }
}

/** Packages may not export their package.json, so it is looked for above their main file. */
function versionOf(name: string): string {
  let folder = dirname(createRequire(join(ROOT, 'package.json')).resolve(name))
  while (!folder.endsWith(join('node_modules', name))) folder = dirname(folder)
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version as string
}
