// The files of src and of test as the compiler parses them, for the tests of the architecture. The one place that
// imports the compiler's API, which calls itself unstable.
import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import {
  type ExportSpecifier,
  type ImportSpecifier,
  type NamedExportBindings,
  type NamedImportBindings,
  type Node,
  type SourceFile as ParsedFile,
  SyntaxKind
} from 'typescript/unstable/ast'
import * as is from 'typescript/unstable/ast/is'
import { API } from 'typescript/unstable/sync'

export { type Node, SyntaxKind, type TypeNode } from 'typescript/unstable/ast'
export * as is from 'typescript/unstable/ast/is'

export const ROOT = join(import.meta.dirname, '../..')

/** One mention of another module: an import or export, `import('…')` as a value or as a type, or `require('…')`. */
export interface Import {
  /** A package, or a path below the root, such as `src/model/lease.ts`. */
  readonly target: string
  readonly isPackage: boolean
  /** Nothing of it is left when the types are erased. */
  readonly isType: boolean
  /** What is imported by name; `*` for everything, or what cannot be told. */
  readonly names: readonly string[]
  /** What that is called in the file that imports it. */
  readonly localNames: readonly string[]
  readonly node: Node
}

export interface SourceFile {
  /** Below src or test. */
  readonly path: string
  readonly text: string
  readonly root: ParsedFile
  readonly imports: readonly Import[]
  /** Every node of the file. */
  readonly nodes: readonly Node[]
}

let parsed: { readonly src: readonly SourceFile[]; readonly test: readonly SourceFile[] } | undefined

/** Every file of src, by path. */
export function sourceFiles(): readonly SourceFile[] {
  parsed ??= parse()
  return parsed.src
}

/** Every file of test that is TypeScript, by path. */
export function testFiles(): readonly SourceFile[] {
  parsed ??= parse()
  return parsed.test
}

export function sourceFile(path: string): SourceFile {
  const file = sourceFiles().find(candidate => candidate.path === path)
  if (file === undefined) throw new Error(`There is no src/${path}`)
  return file
}

/** Something that breaks a rule. */
export type Finding = readonly [where: Node, problem: string]

/** What breaks a rule in the files of src, each with its place. */
export function offenders(check: (file: SourceFile) => Iterable<Finding>): string[] {
  return sourceFiles().flatMap(file => Array.from(check(file), ([where, problem]) => `${placeOf(where)}: ${problem}`))
}

function placeOf(node: Node): string {
  const file = node.getSourceFile()
  const { line } = file.getLineAndCharacterOfPosition(node.getStart(file))
  return `${below(ROOT, file.fileName)}:${line + 1}`
}

/** Everything inside a node; what `isClosed` says yes to is yielded, but not looked into. */
export function* descendants(node: Node, isClosed: (node: Node) => boolean = () => false): Generator<Node> {
  const children: Node[] = []
  node.forEachChild(child => {
    children.push(child)
  })
  for (const child of children) {
    yield child
    if (!isClosed(child)) yield* descendants(child, isClosed)
  }
}

export function hasModifier(node: Node, ...kinds: readonly SyntaxKind[]): boolean {
  const { modifiers = [] } = node as { readonly modifiers?: readonly Node[] }
  return modifiers.some(({ kind }) => kinds.includes(kind))
}

/** The name of a declaration or a member, as it is written. */
export function nameOf(node: Node): string | undefined {
  const { name } = node as { readonly name?: Node }
  return name?.getText()
}

/** What a file declares at its top level. A `const` with several names counts as several. */
export function topLevelDeclarations(file: SourceFile): { name: string; node: Node; isExported: boolean }[] {
  return file.root.statements.flatMap(node => {
    const isExported = hasModifier(node, SyntaxKind.ExportKeyword)
    const named: readonly Node[] = is.isVariableStatement(node) ? [...node.declarationList.declarations] : [node]
    return Array.from(named, declaration => ({ name: nameOf(declaration) ?? '', node, isExported })).filter(
      ({ name }) => name !== ''
    )
  })
}

function parse(): { src: readonly SourceFile[]; test: readonly SourceFile[] } {
  const api = new API({ cwd: ROOT })
  try {
    // What browsers run is a project of its own.
    const openProjects = ['tsconfig.json', 'tsconfig.page.json'].map(name => join(ROOT, name))
    const projects = api.updateSnapshot({ openProjects }).getProjects()
    const programs = new Map(projects.flatMap(({ rootFiles, program }) => rootFiles.map(name => [name, program])))
    const read = (folder: string): SourceFile[] =>
      [...programs]
        .filter(([name]) => !below(join(ROOT, folder), name).startsWith('..'))
        .map(([name, program]) => {
          const root = program.getSourceFile(name)
          if (root === undefined) throw new Error(`${name} could not be parsed`)
          const nodes = [...descendants(root)]
          const imports = nodes.flatMap(node => importOf(node, root.fileName))
          return { path: below(join(ROOT, folder), name), text: readFileSync(name, 'utf8'), root, nodes, imports }
        })
        .sort((a, b) => (a.path < b.path ? -1 : 1))
    return { src: read('src'), test: read('test') }
  } finally {
    api.close()
  }
}

/** A name in another module, and what it is called here. */
interface Binding {
  readonly name: string
  readonly localName: string
}

interface Mention {
  readonly specifier: string
  readonly isType: boolean
  readonly bindings: readonly Binding[]
}

const EVERYTHING: readonly Binding[] = [{ name: '*', localName: '' }]

function importOf(node: Node, fileName: string): Import[] {
  const found = mentionOf(node)
  if (found === undefined) return []
  const { specifier, isType, bindings } = found
  const isPackage = !specifier.startsWith('.')
  const target = isPackage ? specifier : below(ROOT, join(dirname(fileName), specifier))
  const names = bindings.map(({ name }) => name)
  return [{ target, isPackage, isType, names, localNames: bindings.map(({ localName }) => localName), node }]
}

function mentionOf(node: Node): Mention | undefined {
  if (is.isImportDeclaration(node)) {
    const { importClause: clause, moduleSpecifier } = node
    const isType = clause?.phaseModifier === SyntaxKind.TypeKeyword
    const main = clause?.name ? [{ name: 'default', localName: clause.name.text }] : []
    return { specifier: textOf(moduleSpecifier), isType, bindings: [...main, ...bindingsOf(clause?.namedBindings)] }
  }
  if (is.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
    const { exportClause: clause, isTypeOnly: isType, moduleSpecifier } = node
    return { specifier: textOf(moduleSpecifier), isType, bindings: clause ? bindingsOf(clause) : EVERYTHING }
  }
  if (is.isImportTypeNode(node)) return { specifier: textOf(node.argument), isType: true, bindings: EVERYTHING }
  if (is.isImportEqualsDeclaration(node)) {
    return { specifier: textOf(node.moduleReference), isType: false, bindings: EVERYTHING }
  }
  if (is.isCallExpression(node) && /^(import|require)$/.test(node.expression.getText())) {
    return { specifier: textOf(node.arguments[0] ?? node), isType: false, bindings: EVERYTHING }
  }
  return undefined
}

function bindingsOf(node: NamedImportBindings | NamedExportBindings | undefined): readonly Binding[] {
  if (node === undefined) return []
  if (is.isNamedImports(node) || is.isNamedExports(node)) {
    const elements: readonly (ImportSpecifier | ExportSpecifier)[] = [...node.elements]
    return elements.map(({ name, propertyName }) => ({ name: (propertyName ?? name).text, localName: name.text }))
  }
  return [{ name: '*', localName: node.name.text }]
}

/** The text of a string literal; the source of anything else, which then counts as a package that nobody knows. */
function textOf(node: Node): string {
  if (is.isLiteralTypeNode(node)) return textOf(node.literal)
  return is.isStringLiteral(node) || is.isNoSubstitutionTemplateLiteral(node) ? node.text : node.getText()
}

function below(folder: string, path: string): string {
  return relative(folder, path).replaceAll('\\', '/')
}
