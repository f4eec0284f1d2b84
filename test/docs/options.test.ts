// docs/options.md says what is true of every option: its name, its default, its range, the words it takes. The tables of options
// in the guides say the same.
import { availableParallelism } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import { expect } from 'chai'
import * as api from '../../src/index.ts'
import { seededRandom } from '../../src/runtime/random.ts'
import { OPTION_NAMES, type ResolvedOptions, resolveOptions } from '../../src/worker/options.ts'
import type { WorkerPorts } from '../../src/worker/ports.ts'
import { codeIn, rowsUnder, tableTitled, textOf, wordsIn } from '../support/pages.ts'

const PAGE = 'docs/options.md'

describe('docs/options.md', () => {
  const rows = rowsUnder(PAGE, 'Every option').map(([names = '', cell = '', meaning = '']) => {
    const [, byDefault = '', range] = /^(.*?)(?: \((.*)\))?$/.exec(cell) ?? []
    return { names: codeIn(names), byDefault, range, text: `${cell} ${meaning}` }
  })
  const cellOf = (name: string): string => rows.find(({ names }) => names.includes(name))?.text ?? ''

  it('are all there are, nested ones included', () => {
    const known = OPTION_NAMES.flatMap(name => {
      const nested = namesWithin(name)
      return nested.length === 0 ? [name] : nested.map(each => `${name}.${each}`)
    })
    expect(rows.flatMap(({ names }) => names).sort()).to.deep.equal(known.sort())
  })

  it('are all there are in an option that is an object itself', () => {
    for (const name of ['leases.billing', 'onProcessorError.circuitBreaker']) {
      const words = cellOf(name).match(/\w+(?=:)/g)
      expect(new Set(words), name).to.deep.equal(new Set(namesWithin(name)))
    }
  })

  it('say when a circuit breaker opens, and for how long', () => {
    const told = cellOf('onProcessorError.circuitBreaker')
    const [, byDefault] = /(\{ failures.*?\})/.exec(told) ?? []
    expect(byDefault).to.equal(show(resolved(['onProcessorError.circuitBreaker', {}]).breaker))
    const ranges = Array.from(told.matchAll(/\(([\d,]+) to ([\d,]+)\)/g), ([, ...ends]) => ends.map(numberOf))
    for (const [index, name] of ['failures', 'openMs'].entries()) {
      const [least = 0, most = 0] = ranges[index] ?? []
      const accepted = [least - 1, least, most, most + 1].map(
        value => refusalOf(['onProcessorError.circuitBreaker', { [name]: value }]) === undefined
      )
      expect(accepted, name).to.deep.equal([false, true, true, false])
    }
  })

  for (const { names, byDefault, range, text } of rows) {
    const [name = ''] = names
    it(`say what is true of ${names.join(' and ')}`, () => {
      if (byDefault === 'required')
        expect(refusalOf(...names.map(each => [each, undefined] as const)), name).to.be.an('error')
      else for (const each of names) expectDefault(each, byDefault)
      if (range !== undefined) expectRange(name, range)
      else expect(byDefault, 'a number has a range').to.not.match(/^\d/)
      const words = wordsIn(refusalOf([name, 'no such word'])?.message ?? '', /'([\w-]+)'/g)
      if (words.length > 0) expect(new Set(wordsIn(text, /`'([^']+)'`/g))).to.deep.equal(new Set(words))
    })
  }

  it('say how long the name of an application may be', () => {
    const [, least, most] = /(\d+) to (\d+) letters/.exec(cellOf('applicationName')) ?? []
    const accepted = [numberOf(least) - 1, numberOf(least), numberOf(most), numberOf(most) + 1].map(
      length => refusalOf(['applicationName', 'a'.repeat(length)]) === undefined
    )
    expect(accepted).to.deep.equal([false, true, true, false])
  })

  it('say what a provisioned table has', () => {
    const { leases } = resolved(['leases.billing', { mode: 'provisioned' }])
    const [, told = ''] = /(\{ mode: 'provisioned'.*?\})/.exec(cellOf('leases.billing')) ?? []
    expect(told).to.equal(show(leases.billing))
  })

  it('say how long a stop may take', async () => {
    const [, least, most] = /`stop\(\{ graceMs \}\)` .*?, ([\d,]+) to ([\d,]+)\)/.exec(textOf(PAGE)) ?? []
    // A worker that was never started uses no door.
    const ports = { kinesis: {}, store: api.memoryLeaseStore() } as Partial<WorkerPorts>
    const worker = new api.Worker(VALID, ports)
    for (const graceMs of [numberOf(least) - 1, numberOf(most) + 1]) {
      expect(await worker.stop({ graceMs }).catch(error => error), String(graceMs)).to.be.instanceOf(api.OptionError)
    }
    for (const graceMs of [numberOf(least), numberOf(most)]) await worker.stop({ graceMs })
  })
})

describe('the options in the guides', () => {
  it('are all there are, with the defaults that docs/options.md says', () => {
    const page = 'docs/failure-handling.md'
    for (const option of ['onProcessorError', 'concurrency', 'batch']) {
      const rows = tableTitled(page, `option of \`${option}\``)
      expect(rows.flatMap(([names = '']) => codeIn(names)).sort(), option).to.deep.equal(namesWithin(option).sort())
      for (const [names = '', byDefault = ''] of rows.filter(([, cell = '']) => /^[\d,]+(, [\d,]+)*$/.test(cell))) {
        const told = byDefault.split(/, (?=\d)/)
        for (const [index, name] of codeIn(names).entries())
          expectDefault(`${option}.${name}`, `${told[index]}${unitOf(name)}`)
      }
    }
  })

  it('are there, with their defaults, where those of KCL stand beside them', () => {
    const rows = rowsUnder('docs/migrating-from-kcl.md', 'Options').map(([, , names = '', byDefault = '']) => ({
      names: codeIn(names),
      defaults: byDefault.split(/, (?=\d)/)
    }))
    expect(rows.flatMap(({ names }) => names).length).to.be.greaterThan(20)
    for (const { names, defaults } of rows) {
      for (const [index, name] of names.entries()) {
        expect(refusalOf([name, undefined])?.message ?? '', name).to.not.include('is not known')
        const told = defaults[index] ?? ''
        if (/^[\d,]+$/.test(told)) expectDefault(name, `${told}${unitOf(name)}`)
        else if (told.startsWith('`')) expectDefault(name, told)
      }
    }
  })

  it('are all that tumbling windows, re-driving and the health endpoint have', async () => {
    const windows = catching(() => api.tumblingWindows({ zzz: 1 } as never))
    const redrive = await api.redriveDeadLetters({ zzz: 1 } as never).catch(error => error)
    const source = { health: () => ({}) } as never
    const health = await api.serveHealth(source, { zzz: 1 } as never).catch(error => error)
    for (const [page, title, refusal] of [
      ['docs/windows.md', 'option', windows],
      ['docs/dead-letters.md', 'option', redrive],
      ['docs/health.md', 'option of `serveHealth`', health]
    ] as const) {
      const told = tableTitled(page, title).flatMap(([cell = '']) => codeIn(cell).map(code => code.replace(/\(.*/, '')))
      expect(told.sort(), page).to.deep.equal(namesIn(refusal).sort())
    }
  })
})

/** Options that are enough; others are added to them. */
const VALID = { streamName: 'clicks', applicationName: 'click-counter', handler: () => {} }

/** The defaults that the table has in words. */
const DEFAULTS_IN_WORDS: Readonly<Record<string, (value: unknown) => void>> = {
  'no limit': value => expect(value).to.equal(Number.POSITIVE_INFINITY),
  none: value => expect(value).to.equal(undefined),
  DynamoDB: value => expect(value).to.equal(undefined),
  'the environment': value => expect(value).to.equal(undefined),
  'the application name': value => expect(value).to.equal(VALID.applicationName),
  'a quarter of the heap limit': value => expect(value).to.equal(Math.floor(getHeapStatistics().heap_size_limit / 4)),
  'one less than processors': value => expect(value).to.equal(Math.max(1, availableParallelism() - 1)),
  'what Node allows': value => expect(value).to.equal(undefined),
  'host, pid and a random word': value => expect(value).to.match(/^.+-\d+-[a-z0-9]+$/),
  'warnings and errors to standard error, as JSON lines': value =>
    expect(value).to.have.all.keys('debug', 'info', 'warn', 'error'),
  // Nothing: whoever creates the table takes that for on-demand.
  "`{ mode: 'on-demand' }`": value => expect(value).to.equal(undefined)
}

/** Where the value of an option is once it is resolved, if that is not under its own name. */
const RESOLVED_AS: Readonly<Record<string, string>> = {
  'streams.whenRemoved': 'streams.removed',
  onDecodeError: 'decoding.onError',
  'threads.count': 'userCode.threads.count',
  'threads.data': 'userCode.threads.data',
  'threads.maxHeapMb': 'userCode.threads.maxHeapMb',
  'retrieval.consumerName': 'retrieval.consumer.consumerName',
  'retrieval.consumerArn': 'retrieval.consumer.consumerArn',
  ...Object.fromEntries(
    ['attempts', 'maxElapsedMs', 'bisect', 'maxRecordAgeMs', 'decide'].map(name => [
      `onProcessorError.${name}`,
      `failurePolicy.${name}`
    ])
  ),
  'onProcessorError.then': 'failurePolicy.lastResort',
  'onProcessorError.timeoutMs': 'handlerTimeoutMs',
  'onProcessorError.circuitBreaker': 'breaker',
  'watchdog.stallMs': 'stallMs',
  'onProcessorError.backoffMs': 'failurePolicy.backoff.firstMs',
  'onProcessorError.maxBackoffMs': 'failurePolicy.backoff.maxMs'
}

const IN_THREADS: readonly Setting[] = [
  ['handler', undefined],
  ['threads.module', 'file:///handler.js']
]

const SEVERAL: readonly Setting[] = [
  ['streamName', undefined],
  ['streams.list', [{ streamName: 'orders' }]]
]

const EACH: readonly Setting[] = [
  ['handler', undefined],
  ['each', () => {}],
  ['concurrency.perShard', 1]
]

/** What has to be set beside an option for it to be allowed. */
const BESIDE: Readonly<Record<string, readonly Setting[]>> = {
  threads: [['handler', undefined]],
  streams: [['streamName', undefined]],
  'streams.list': [['streamName', undefined]],
  ...Object.fromEntries(['everyMs', 'whenRemoved'].map(name => [`streams.${name}`, SEVERAL])),
  each: [['handler', undefined]],
  ...Object.fromEntries(['perShard', 'by', 'maxInFlight'].map(name => [`concurrency.${name}`, EACH])),
  ...Object.fromEntries(['maxRecords', 'maxBytes', 'windowMs'].map(name => [`batch.${name}`, [['batch', {}]]])),
  'onProcessorError.maxRecordAgeMs': [['onProcessorError.then', 'skip']],
  'threads.module': [['handler', undefined]],
  ...Object.fromEntries(['count', 'data', 'maxHeapMb'].map(name => [`threads.${name}`, [...IN_THREADS]])),
  onDecodeError: [['decode', () => {}]],
  'retrieval.consumerName': [['retrieval.mode', 'fan-out']],
  'retrieval.consumerArn': [['retrieval.mode', 'fan-out']],
  'retrieval.fallback': [['retrieval.mode', 'fan-out']]
}

type Setting = readonly [path: string, value: unknown]

/** The options with every default filled in, after some were set by their path, such as `leases.durationMs`. */
function resolved(...settings: readonly Setting[]): ResolvedOptions {
  const options: Record<string, unknown> = { ...VALID }
  for (const [path, value] of settings.flatMap(setting => [...(BESIDE[setting[0]] ?? []), setting])) {
    const [name = '', key] = path.split('.')
    options[name] = key === undefined ? value : { ...Object(options[name]), [key]: value }
  }
  return resolveOptions(options as never, seededRandom(1), 0)
}

function refusalOf(...settings: readonly Setting[]): api.OptionError | undefined {
  try {
    resolved(...settings)
    return undefined
  } catch (error) {
    if (error instanceof api.OptionError) return error
    throw error
  }
}

/** The names that an option may have inside, if it is an object with names of its own. */
function namesWithin(path: string): string[] {
  return namesIn(refusalOf([path, { zzz: 1 }]))
}

/** The names that the refusal of one that is not known lists. */
function namesIn({ message = '' }: Partial<Error> = {}): string[] {
  const [, names] = /zzz: is not known.*; expected one of ([\w, ]+)/.exec(message) ?? []
  return names?.split(', ') ?? []
}

function catching(work: () => unknown): Error | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    return error as Error
  }
}

function expectDefault(name: string, text: string): void {
  const path = RESOLVED_AS[name] ?? name
  const value = path
    .split('.')
    .reduce<unknown>((inner, key) => Reflect.get(Object(inner), key), resolved(...(BESIDE[name] ?? [])))
  const inWords = DEFAULTS_IN_WORDS[text]
  if (inWords !== undefined) inWords(value)
  else if (typeof value !== 'number') expect(`\`${show(value)}\``).to.equal(text)
  else expect(`${value.toLocaleString('en')}${unitOf(name)}`).to.equal(text)
}

function unitOf(name: string): string {
  return name.endsWith('Ms') ? ' ms' : name.endsWith('Bytes') ? ' bytes' : ''
}

/**
 * Checks a range such as `1 to 10,000`, `1 to 1,000,000, Infinity` or `from 1`: its ends are accepted, and what lies beyond
 * them is not.
 */
function expectRange(name: string, range: string): void {
  const [, atLeast, from = atLeast, to] = /^(?:from (\S+)|(\S+) to ([\d,]+|`\w+`)(?:, `Infinity`)?)$/.exec(range) ?? []
  const least = endOf(from)
  const most = to === undefined ? [] : [endOf(to)]
  const hasInfinity = range.includes('Infinity') || to === undefined
  const tried = [least - 1, least, ...most, ...most.map(end => end + 1), Number.POSITIVE_INFINITY]
  const accepted = tried.filter(value => refusalOf([name, value]) === undefined)
  expect(accepted).to.deep.equal([least, ...most, ...(hasInfinity ? [Number.POSITIVE_INFINITY] : [])])
}

/** The end of a range: a number, or another option. */
function endOf(text: string | undefined): number {
  const { failurePolicy, retrieval } = resolved()
  switch (text) {
    case '`backoffMs`':
      return failurePolicy.backoff.firstMs
    case '`maxBufferedBytes`':
      return retrieval.maxBufferedBytes
    case '`maxShardBufferedBytes`':
      return retrieval.maxShardBufferedBytes
    case '`perShard`':
      return resolved(...EACH).concurrency?.perShard ?? Number.NaN
    default:
      return numberOf(text)
  }
}

/** A value as it stands on the page. */
function show(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (typeof value !== 'object' || value === null) return String(value)
  return `{ ${Object.entries(value)
    .map(([key, inner]) => `${key}: ${show(inner)}`)
    .join(', ')} }`
}

function numberOf(text: string | undefined): number {
  return Number((text ?? 'none').replaceAll(',', ''))
}
