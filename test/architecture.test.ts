// The rules of src/README.md, as a test: layers, purity, time, chance, the SDK, sizes, cycles.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { expect } from 'chai'

const SRC = join(import.meta.dirname, '../src')

/** Folders by layer: an import points to the same folder or to a lower layer. */
const LAYERS: readonly (readonly string[])[] = [
  ['model'],
  ['runtime'],
  ['kpl', 'kinesis', 'metrics'],
  ['leases', 'checkpoint', 'retrieval', 'processor'],
  ['shards', 'consumer'],
  ['worker'],
  ['producer', 'delivery', 'sql'],
  ['cli', 'dashboard', 'testing', 'multilang', 'agent']
]

/** Files that decide and do nothing else: named so, or listed here. */
const PURE_NAME = /\/(plan-[^/]+|[^/]+-rules|[^/]+-state)\.ts$/
const PURE_FOLDERS = ['model/', 'kpl/']
const PURE_FILES = [
  'leases/dynamo-attribute.ts',
  'leases/dynamo-item.ts',
  'leases/lease-fields.ts',
  'leases/sightings.ts',
  'runtime/backoff.ts',
  'shards/shard-graph.ts'
]

interface Import {
  readonly target: string
  readonly isType: boolean
}

interface SourceFile {
  /** Path below src. */
  readonly path: string
  /** Without comments. */
  readonly code: string
  readonly lines: number
  /** Files of src it imports, by path below src. */
  readonly imports: readonly Import[]
  /** Packages it imports. */
  readonly packages: readonly string[]
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts'))
  .map(name => readSource(name.replaceAll('\\', '/')))

function readSource(path: string): SourceFile {
  const text = readFileSync(join(SRC, path), 'utf8')
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"])\/\/.*$/gm, '$1')
  const found = [...code.matchAll(/^(?:import|export)\s+(type\s)?(?:[^'"]*?\sfrom\s+)?['"]([^'"]+)['"]/gm)]
  const all = found.map(([, type, target = '']) => ({ target, isType: type !== undefined }))
  const below = (target: string): string =>
    relative(SRC, normalize(join(SRC, dirname(path), target))).replaceAll('\\', '/')
  return {
    path,
    code,
    lines: text.split('\n').length,
    imports: all
      .filter(({ target }) => target.startsWith('.'))
      .map(({ target, isType }) => ({ target: below(target), isType })),
    packages: all.map(({ target }) => target).filter(target => !target.startsWith('.'))
  }
}

function layerOf(path: string): number {
  const folder = path.split('/')[0] ?? ''
  return path.includes('/') ? LAYERS.findIndex(layer => layer.includes(folder)) : LAYERS.length
}

function isPure(path: string): boolean {
  return PURE_NAME.test(`/${path}`) || PURE_FILES.includes(path) || PURE_FOLDERS.some(folder => path.startsWith(folder))
}

/** The files for which a rule does not hold, each with why. */
function offenders(check: (file: SourceFile) => readonly string[]): string[] {
  return files.flatMap(file => check(file).map(problem => `${file.path}: ${problem}`))
}

function usesIn(file: SourceFile, pattern: RegExp): string[] {
  return [...file.code.matchAll(pattern)].map(match => match[0])
}

describe('the architecture', () => {
  it('reads the source it judges', () => {
    expect(files.length).to.be.greaterThan(50)
    expect(files.flatMap(file => file.imports).length).to.be.greaterThan(150)
    for (const { imports } of files)
      for (const { target } of imports) expect(files.map(({ path }) => path)).to.include(target)
  })

  it('knows the layer of every folder', () => {
    expect(offenders(({ path }) => (layerOf(path) === -1 ? ['its folder has no layer'] : []))).to.deep.equal([])
  })

  it('imports from the same folder or from a lower layer; types also from a sibling', () => {
    const upwards = offenders(({ path, imports }) =>
      imports
        .filter(({ target, isType }) => {
          if (dirname(target) === dirname(path)) return false
          const [from, to] = [layerOf(path), layerOf(target)]
          return to > from || (to === from && !isType)
        })
        .map(({ target }) => `imports ${target}`)
    )
    expect(upwards).to.deep.equal([])
  })

  it('has no import cycles, imports of types included', () => {
    expect(findCycle(new Map(files.map(({ path, imports }) => [path, imports.map(({ target }) => target)])))).to.equal(
      undefined
    )
  })

  it('has no barrels, and nobody inside imports index.ts', () => {
    expect(
      offenders(({ imports }) => imports.map(({ target }) => target).filter(target => /(^|\/)index\.ts$/.test(target)))
    ).to.deep.equal([])
    expect(files.filter(({ path }) => path.endsWith('/index.ts'))).to.deep.equal([])
  })

  it('keeps decisions pure: no await, no time, no chance, no SDK, and pure imports only', () => {
    const impure = offenders(file => {
      if (!isPure(file.path)) return []
      const words = usesIn(
        file,
        /\bawait\b|\basync\b|\bPromise\b|\bprocess\.|\bDate\.now\b|\bMath\.random\b|\bsetTimeout\b/g
      )
      // Types have no effects; shuffling with a source of chance that was passed in has none but on that source.
      const imports = file.imports
        .filter(({ target, isType }) => !isType && !isPure(target) && target !== 'runtime/random.ts')
        .map(({ target }) => `imports ${target}`)
      const packages = file.packages.filter(name => name !== 'node:crypto' && name !== 'node:buffer')
      return [...words, ...imports, ...packages]
    })
    expect(impure).to.deep.equal([])
  })

  it('names time only in runtime/clock.ts and chance only in runtime/random.ts', () => {
    const time =
      /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bsetTimeout\b|\bsetInterval\b|\bsetImmediate\b|\bhrtime\b|\bnode:timers\b|AbortSignal\.timeout/g
    const chance = /\bMath\.random\b|\brandomUUID\b|\brandomBytes\b|\brandomInt\b/g
    const isKit = (path: string): boolean => path === 'testing/virtual-clock.ts'
    expect(
      offenders(file => (file.path === 'runtime/clock.ts' || isKit(file.path) ? [] : usesIn(file, time)))
    ).to.deep.equal([])
    expect(offenders(file => (file.path === 'runtime/random.ts' ? [] : usesIn(file, chance)))).to.deep.equal([])
  })

  it('imports the AWS SDK only in sdk-* and dynamo-* files', () => {
    const isAllowed = (path: string): boolean => /\/(sdk|dynamo)-[^/]+\.ts$/.test(path)
    const sdk = (name: string): boolean => name.startsWith('@aws-sdk/') || name.startsWith('@smithy/')
    expect(offenders(file => (isAllowed(file.path) ? [] : file.packages.filter(sdk)))).to.deep.equal([])
  })

  it('writes to the console only in runtime/logger.ts', () => {
    expect(offenders(file => (file.path === 'runtime/logger.ts' ? [] : usesIn(file, /\bconsole\.\w+/g)))).to.deep.equal(
      []
    )
  })

  it('emits events in one place', () => {
    expect(
      offenders(file => (file.path === 'worker/events.ts' ? [] : usesIn(file, /\w+\.emit\(/g))).filter(
        use => !use.includes('emitter.emit(')
      )
    ).to.deep.equal([])
  })

  it('keeps files at 400 lines or fewer', () => {
    expect(offenders(({ lines }) => (lines > 400 ? [`${lines} lines`] : []))).to.deep.equal([])
  })

  it('begins every file with what it is in charge of', () => {
    const headless = files.filter(({ path }) => !/^\/\/ \S/.test(readFileSync(join(SRC, path), 'utf8')))
    expect(headless.map(({ path }) => path)).to.deep.equal([])
  })

  it('is told in src/README.md: every folder and every file stands there', () => {
    const readme = readFileSync(join(SRC, 'README.md'), 'utf8')
    expect(
      files.map(({ path }) => path).filter(path => !readme.includes(path.split('/').at(-1) ?? path))
    ).to.deep.equal([])
  })
})

/** A cycle in a graph, as the path that closes it. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): string | undefined {
  const done = new Set<string>()
  const visit = (node: string, path: readonly string[]): string | undefined => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node].join(' -> ')
    if (done.has(node)) return undefined
    for (const next of graph.get(node) ?? []) {
      const cycle = visit(next, [...path, node])
      if (cycle !== undefined) return cycle
    }
    done.add(node)
    return undefined
  }
  for (const node of graph.keys()) {
    const cycle = visit(node, [])
    if (cycle !== undefined) return cycle
  }
  return undefined
}
