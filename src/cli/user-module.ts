// Loads a module of the user, in JavaScript, or in TypeScript where something can: tsx if the module has it at hand, otherwise Node
// itself, from 22.18 on.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { extname, isAbsolute, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { messageOf, OptionError } from '../model/errors.ts'
import { quoted } from './value-rules.ts'

const TYPESCRIPT: readonly string[] = ['.ts', '.mts', '.cts', '.tsx']

/** A path as it was given, from the directory that it was given in. */
export function pathIn(cwd: string, path: string): string {
  return isAbsolute(path) ? path : resolve(cwd, path)
}

/** What reads TypeScript here. */
export interface TypeScriptReaders {
  /** Whether this Node does by itself. */
  readonly isBuiltIn: boolean
  /** The URL of tsx as a module at this path would find it, if it would. */
  readonly findTsx: (path: string) => string | undefined
}

/**
 * Loads a module.
 *
 * @param readers for tests
 * @throws OptionError if it is missing or cannot be loaded
 */
export async function loadModule(path: string, readers: TypeScriptReaders = readersHere()): Promise<object> {
  if (!existsSync(path)) throw new OptionError('file', `is ${quoted(path)}, which does not exist`)
  if (TYPESCRIPT.includes(extname(path))) await readyForTypeScript(path, readers)
  const { href } = pathToFileURL(path)
  try {
    return await import(href)
  } catch (cause) {
    throw new OptionError('file', `is ${quoted(path)}, which cannot be loaded: ${messageOf(cause)}`, { cause })
  }
}

/** Makes this process read TypeScript. Not in a scope of its own, where the module would have another copy of this package. */
async function readyForTypeScript(path: string, { isBuiltIn, findTsx }: TypeScriptReaders): Promise<void> {
  const href = findTsx(path)
  // Loading it is all that it takes, as with `node --import tsx`.
  if (href !== undefined) await import(href)
  else if (!isBuiltIn) {
    const how = 'npm install -D tsx beside it, or Node 22.18 or later'
    throw new OptionError('file', `is ${quoted(path)}, and this Node reads no TypeScript: ${how}`)
  }
}

function readersHere(): TypeScriptReaders {
  const isBuiltIn = Boolean(Reflect.get(process.features, 'typescript'))
  return {
    isBuiltIn,
    findTsx: path => {
      try {
        return pathToFileURL(createRequire(path).resolve('tsx')).href
      } catch {
        return undefined // It is not installed where the module is: Node may do without.
      }
    }
  }
}
