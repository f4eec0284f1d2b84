// The build of Millrace that is measured: what users get, dist, unless another folder is named.
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { DeaggregateOptions } from '../src/kpl/deaggregate.ts'
import type { ConsumedRecord, KinesisRecord } from '../src/model/record.ts'

/** The public API. */
export type Library = typeof import('../src/index.ts')

/** Takes a batch of Kinesis records apart. Keeps what it can use again for the next batch. */
export type Deaggregate = (records: readonly KinesisRecord[]) => readonly ConsumedRecord[]

/** Where the repository is. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** The public API of the build in a folder, relative to the repository. Throws an Error where there is none. */
export async function loadLibrary(folder: string): Promise<Library> {
  return (await import(moduleOf(folder, 'index'))) as Library
}

/** The de-aggregator of the build in a folder, for many batches of one shard. */
export async function loadDeaggregator(folder: string, options: DeaggregateOptions = {}): Promise<Deaggregate> {
  const module = (await import(moduleOf(folder, 'kpl/deaggregate'))) as typeof import('../src/kpl/deaggregate.ts')
  const deaggregator = new module.Deaggregator(options)
  return records => deaggregator.deaggregate(records).records
}

function moduleOf(folder: string, name: string): string {
  const path = resolve(ROOT, folder, name)
  const found = [`${path}.js`, `${path}.ts`].find(existsSync)
  if (found === undefined) throw new Error(`There is no ${name}.js in ${folder}: run "npm run build" first`)
  return pathToFileURL(found).href
}
