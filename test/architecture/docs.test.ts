// Doc comments: everything that src exports has one, and so has every member of what the package exports.
import { expect } from 'chai'
import {
  type Finding,
  hasModifier,
  is,
  type Node,
  nameOf,
  offenders,
  type SourceFile,
  SyntaxKind,
  sourceFile,
  topLevelDeclarations
} from '../support/source-files.ts'

/** Told once, in the class that all errors extend. */
const TOLD_IN_BASE = ['code', 'retryable']

describe('the doc comments of src', () => {
  it('stand directly above every exported declaration', () => {
    const bare = offenders(file => {
      const exported = topLevelDeclarations(file).filter(({ isExported }) => isExported)
      return exported.filter(({ node }) => !isDocumented(node)).map(({ name, node }) => [node, name])
    })
    expect(bare).to.deep.equal([])
  })

  it('stand directly above every member of what the package exports', () => {
    const exported = new Set(sourceFile('index.ts').imports.flatMap(({ names }) => names))
    const bare = offenders(file =>
      publicDeclarations(file, exported).flatMap(({ name, node }) =>
        membersOf(node)
          .filter(member => !isDocumented(member))
          .map((member): Finding => [member, `${name}.${nameOf(member)}`])
      )
    )
    expect(bare).to.deep.equal([])
  })
})

/** Whether there is a doc comment with nothing between it and the declaration. */
function isDocumented(node: Node): boolean {
  const comment = node.jsDoc?.at(-1)
  if (comment === undefined || /^\/\*\*[\s*]*\*\/$/.test(comment.getText())) return false
  const { text } = node.getSourceFile()
  return /^[^\S\n]*\n?[^\S\n]*$/.test(text.slice(comment.end, node.getStart()))
}

/** What a file declares of the package's API: what is exported from it, and what that is made of in the same file. */
function publicDeclarations(file: SourceFile, exported: ReadonlySet<string>): { name: string; node: Node }[] {
  const declarations = topLevelDeclarations(file)
  const isPublic = new Set(declarations.filter(({ name, isExported }) => isExported && exported.has(name)))
  for (const { node } of isPublic) {
    if (!is.isTypeAliasDeclaration(node) && !is.isInterfaceDeclaration(node)) continue
    for (const other of declarations) if (new RegExp(`\\b${other.name}\\b`).test(node.getText())) isPublic.add(other)
  }
  return [...isPublic]
}

/** The members that a user sees. A member that can only be one word, such as the `kind` of an outcome, speaks for itself. */
function membersOf(node: Node): readonly Node[] {
  if (is.isInterfaceDeclaration(node)) return [...node.members]
  if (is.isTypeAliasDeclaration(node)) {
    const parts = is.isUnionTypeNode(node.type) ? [...node.type.types] : [node.type]
    return parts
      .filter(is.isTypeLiteralNode)
      .flatMap(({ members }) => [...members])
      .filter(member => !isOneWord(member))
  }
  if (!is.isClassDeclaration(node)) return []
  const isSubclass = node.heritageClauses?.some(({ token }) => token === SyntaxKind.ExtendsKeyword) === true
  return [...node.members].filter(member => {
    const name = nameOf(member) ?? ''
    if (is.isConstructorDeclaration(member) || name.startsWith('#')) return false
    if (hasModifier(member, SyntaxKind.PrivateKeyword)) return false
    return !(isSubclass && TOLD_IN_BASE.includes(name))
  })
}

function isOneWord(member: Node): boolean {
  const { type } = member as { readonly type?: Node }
  return type !== undefined && (is.isLiteralTypeNode(type) || type.kind === SyntaxKind.NeverKeyword)
}
