// Where the code of a thread is: beside the module that starts it; in a bundle, beside the bundle, if whoever bundled put it there.
import { existsSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ServiceError } from '../model/errors.ts'

const EXTENSIONS: readonly string[] = ['.js', '.mjs', '.cjs']

/**
 * Finds the code of a thread.
 *
 * @param name of the file, without its extension. The package has it as an entry point of the same name, for bundlers
 * @param moduleUrl `import.meta.url` of the module that starts it. A bundle in CommonJS has none: its own path counts there
 * @throws ServiceError `not-found` that says what to tell the bundler, if it is not there
 */
export function threadFile(name: string, moduleUrl: string | undefined): URL {
  const base = moduleUrl ?? pathToFileURL(__filename).href
  // The first is that of the running code: compiled, or the source itself.
  const extensions = new Set([/\.\w+$/.exec(base)?.[0] ?? '.js', ...EXTENSIONS])
  for (const extension of extensions) {
    const url = new URL(`./${name}${extension}`, base)
    if (url.protocol !== 'file:' || existsSync(url)) return url
  }
  const advice = `have the bundler make it of the entry point millrace/${name} (see docs/deploying.md, Bundling)`
  const folder = fileURLToPath(new URL('.', base))
  throw new ServiceError('not-found', `${name}.js is not in ${folder}: ${advice}`, { retryable: false })
}
