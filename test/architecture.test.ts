// The picture in src/README.md, as a test: layers, cycles, purity, sizes, and the page itself. More rules are in
// test/architecture/: doors, state, words and docs.
import { readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { expect } from 'chai'
import { is, type Node, offenders, ROOT, type SourceFile, SyntaxKind, sourceFiles } from './support/source-files.ts'

/** Folders by layer: an import points to the same folder or to a lower layer. */
const LAYERS: readonly (readonly string[])[] = [
  ['model'],
  ['runtime', 'wire'],
  ['kpl', 'kinesis', 'dynamo', 'metrics', 'decoding'],
  ['leases', 'checkpoint', 'retrieval', 'processor', 'dead-letters'],
  ['shards', 'consumer', 'fleet'],
  ['worker'],
  ['windows', 'operate', 'serving', 'dynamodb-streams', 'glue-schema-registry', 'producer', 'delivery', 'sql'],
  ['dashboard', 'testing', 'multilang', 'agent'],
  ['cli', 'dashboard-page']
]

/** Files that decide and do nothing else: named so, or listed here. */
const PURE_NAME = /\/(plan-[^/]+|[^/]+-rules|[^/]+-state)\.ts$/
const PURE_FOLDERS = ['model/', 'kpl/', 'wire/']
const PURE_FILES = [
  'checkpoint/watermark.ts',
  'consumer/key-lanes.ts',
  'dead-letters/letter-codec.ts',
  'dynamo/dynamo-attribute.ts',
  'dynamo/dynamo-expression.ts',
  'fleet/fleet-settings.ts',
  'fleet/member-watch.ts',
  'leases/dynamo-control-item.ts',
  'leases/dynamo-item.ts',
  'leases/dynamo-kcl-item.ts',
  'leases/dynamo-order-item.ts',
  'leases/frozen-copy.ts',
  'leases/item-size.ts',
  'leases/lease-fields.ts',
  'leases/session-id.ts',
  'leases/sightings.ts',
  'metrics/cloudwatch-names.ts',
  'metrics/metric-table.ts',
  'multilang/properties.ts',
  'multilang/property-table.ts',
  'operate/checkpoint-codec.ts',
  'runtime/backoff.ts',
  'serving/request-guard.ts',
  'shards/shard-graph.ts'
]

function layerOf(path: string): number {
  const folder = path.split('/')[0] ?? ''
  return path.includes('/') ? LAYERS.findIndex(layer => layer.includes(folder)) : LAYERS.length
}

function isPure(path: string): boolean {
  return PURE_NAME.test(`/${path}`) || PURE_FILES.includes(path) || PURE_FOLDERS.some(folder => path.startsWith(folder))
}

/** What a file mentions of src, by path below src. */
function internalImports(file: SourceFile): { target: string; isType: boolean; node: Node }[] {
  return file.imports
    .filter(({ isPackage }) => !isPackage)
    .map(({ target, isType, node }) => ({ target: target.replace(/^src\//, ''), isType, node }))
}

describe('the architecture', () => {
  it('is read from every file of src', () => {
    const paths = sourceFiles().map(({ path }) => path)
    expect(paths.length).to.be.greaterThan(50)
    expect(sourceFiles().flatMap(internalImports).length).to.be.greaterThan(150)
    for (const { target } of sourceFiles().flatMap(internalImports)) expect(paths).to.include(target)
  })

  it('knows the layer of every folder', () => {
    const unknown = sourceFiles().filter(({ path }) => layerOf(path) === -1)
    expect(unknown.map(({ path }) => path)).to.deep.equal([])
  })

  it('imports from the same folder or from a lower layer; types also from a sibling', () => {
    const upwards = offenders(file =>
      internalImports(file)
        .filter(({ target, isType }) => {
          if (dirname(target) === dirname(file.path)) return false
          const [from, to] = [layerOf(file.path), layerOf(target)]
          return to > from || (to === from && !isType)
        })
        .map(({ target, node }) => [node, `imports ${target}`])
    )
    expect(upwards).to.deep.equal([])
  })

  it('has no import cycles, imports of types included', () => {
    const graph = new Map(sourceFiles().map(file => [file.path, internalImports(file).map(({ target }) => target)]))
    expect(findCycle(graph)).to.equal(undefined)
  })

  it('has no barrels but the public ones of subpaths, and nobody inside imports index.ts', () => {
    const importers = offenders(file =>
      internalImports(file)
        .filter(({ target }) => basename(target) === 'index.ts')
        .map(({ target, node }) => [node, `imports ${target}`])
    )
    expect(importers).to.deep.equal([])
    const barrels = sourceFiles().filter(({ path }) => path.endsWith('/index.ts'))
    expect(barrels.map(({ path }) => path)).to.deep.equal([
      'dashboard/index.ts',
      'operate/index.ts',
      'testing/index.ts'
    ])
  })

  it('keeps decisions pure: nothing asynchronous, and pure imports only', () => {
    // Types have no effects; shuffling with a source of chance that was passed in has none but on that source. Time,
    // chance, the console and the SDK have doors of their own, see test/architecture/doors.test.ts.
    const impure = offenders(file => {
      if (!isPure(file.path)) return []
      const imports = internalImports(file)
        .filter(({ target, isType }) => !isType && !isPure(target) && target !== 'runtime/random.ts')
        .map(({ target, node }) => [node, `imports ${target}`] as const)
      const packages = file.imports
        .filter(({ isPackage, target }) => isPackage && !['node:crypto', 'node:buffer'].includes(target))
        .map(({ target, node }) => [node, `imports ${target}`] as const)
      const waits = file.nodes.filter(isAsynchronous).map(node => [node, 'is asynchronous'] as const)
      return [...imports, ...packages, ...waits]
    })
    expect(impure).to.deep.equal([])
  })

  it('keeps files at 400 lines or fewer', () => {
    const long = sourceFiles().filter(({ text }) => text.trimEnd().split('\n').length > 400)
    expect(long.map(({ path }) => path)).to.deep.equal([])
  })

  it('begins every file with what it is in charge of', () => {
    // A program says before that what runs it.
    const headless = sourceFiles().filter(({ text }) => !/^(#!.*\n)?\/\/ \S/.test(text))
    expect(headless.map(({ path }) => path)).to.deep.equal([])
  })

  it('is told in src/README.md: every file stands under its folder, and no other', () => {
    const paths = sourceFiles().map(({ path }) => path)
    expect([...fileMap().keys()].sort()).to.deep.equal(paths.filter(path => path.includes('/')))
  })

  it('is told in src/README.md: the files marked ◆ are the pure ones', () => {
    const marked = [...fileMap()].filter(([, isMarked]) => isMarked).map(([path]) => path)
    expect(marked.sort()).to.deep.equal([...fileMap().keys()].filter(isPure).sort())
  })
})

function isAsynchronous(node: Node): boolean {
  const { kind } = node
  if (kind === SyntaxKind.AsyncKeyword || is.isAwaitExpression(node)) return true
  return is.isIdentifier(node) && ['Promise', 'PromiseLike', 'queueMicrotask'].includes(node.text)
}

/** The file map of src/README.md: each path, and whether it or its folder is marked ◆. */
function fileMap(): ReadonlyMap<string, boolean> {
  const map = new Map<string, boolean>()
  const page = readFileSync(join(ROOT, 'src/README.md'), 'utf8')
  const [, section = ''] = /## File map\n([\s\S]*?)\n## /.exec(page) ?? []
  for (const part of section.split(/^(?=\*\*[a-z-]+\/\*\*)/m).slice(1)) {
    const [, folder = '', folderMark] = /^\*\*([a-z-]+)\/\*\*( ◆)?/.exec(part) ?? []
    for (const [, file, mark] of part.matchAll(/`([a-z0-9-]+\.c?ts)`( ◆)?/g)) {
      map.set(`${folder}/${file}`, (folderMark ?? mark) !== undefined)
    }
  }
  return map
}

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
