// What a module of the user is made of: which of its exports is the code that processes records, and which are options.
import { OptionError } from '../model/errors.ts'

/** Options of a worker as a module gives them; the worker checks them. */
export type ModuleOptions = Readonly<Record<string, unknown>>

const CODE: readonly string[] = ['handler', 'each', 'processor', 'threads']
/** What every processor has. */
const METHODS: readonly string[] = ['initialize', 'processRecords', 'leaseLost', 'shardEnded', 'shutdownRequested']

/**
 * The options that a module gives: its `options`, and as `handler`, `each`, `processor` or `decode` what it exports under these names. A
 * class with a method `processRecords` is a processor, whatever its name. The default export is a handler if it is a function, a
 * processor if it is such a class, and options if it is an object.
 *
 * @throws OptionError if there is no code in it, or more than one thing that could be, or a class that is no whole processor
 */
export function optionsOf(module: object, file: string): ModuleOptions {
  const { options, default: main, ...named } = module as Record<string, unknown>
  const given = [options, isObject(main) ? main : undefined].filter(each => each !== undefined)
  for (const each of given) {
    if (!isObject(each)) throw new OptionError('options', `of ${file} is ${typeof each}, expected an object`)
  }
  const merged: Record<string, unknown> = Object.assign(
    {},
    ...given,
    named.decode !== undefined && { decode: named.decode }
  )
  const found = [...codeIn(named), ...codeIn({ default: main })]
  const [first, second] = found
  if (first !== undefined && second !== undefined) {
    throw new OptionError('file', `${file} exports ${first.as} and ${second.as}, expected one of them`)
  }
  if (first !== undefined) {
    const other = CODE.find(name => merged[name] !== undefined)
    if (other !== undefined) {
      throw new OptionError('file', `${file} exports ${first.as}, and ${other} in its options, expected one of them`)
    }
    return { ...merged, [first.option]: first.value }
  }
  if (CODE.some(name => merged[name] !== undefined)) return { ...merged, ...factory(merged.processor) }
  const exported = Object.keys(module)
  const has = exported.length === 0 ? 'nothing' : exported.join(', ')
  const expected = 'a class with a method processRecords, a function handler or each, or options with one of them'
  throw new OptionError('file', `${file} exports ${has}, expected ${expected}`)
}

interface Code {
  readonly option: string
  /** What it is called in the module. */
  readonly as: string
  readonly value: unknown
}

function codeIn(exports: Readonly<Record<string, unknown>>): Code[] {
  return Object.entries(exports).flatMap(([as, value]): Code[] => {
    if (isProcessorClass(value)) return [{ option: 'processor', as, ...made(value, as) }]
    if (typeof value !== 'function') return []
    if (as === 'default') return [{ option: 'handler', as, value }]
    return ['handler', 'each', 'processor'].includes(as) ? [{ option: as, as, value }] : []
  })
}

function factory(processor: unknown): { readonly processor?: unknown } {
  return isProcessorClass(processor) ? { processor: made(processor, 'processor').value } : {}
}

/** Before anything is read: a class without one of the methods would only fail once it has a shard. */
function made(type: new () => unknown, as: string): { readonly value: () => unknown } {
  const has = Object(type.prototype) as Readonly<Record<string, unknown>>
  const missing = METHODS.filter(name => typeof has[name] !== 'function')
  if (missing.length === 0) return { value: () => new type() }
  const expected = 'expected one that extends RecordProcessor of millrace'
  throw new OptionError('file', `class ${as} has no ${missing.join(', ')}, ${expected}`)
}

/** By its shape: the module may have another copy of this package. */
function isProcessorClass(value: unknown): value is new () => unknown {
  if (typeof value !== 'function') return false
  const { processRecords } = Object(value.prototype) as { readonly processRecords?: unknown }
  return typeof processRecords === 'function'
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
