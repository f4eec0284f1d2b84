// No state at the level of a module: nothing there can change once a file is loaded, and loading a file does nothing.
import { expect } from 'chai'
import {
  descendants,
  type Finding,
  hasModifier,
  is,
  type Node,
  offenders,
  type SourceFile,
  SyntaxKind,
  type TypeNode,
  topLevelDeclarations
} from '../support/source-files.ts'

/** Classes whose instances hold nothing that changes. */
const STATELESS = ['TextDecoder', 'TextEncoder']

/** Methods that change what they are called on. */
const CHANGES = /^(add|clear|copyWithin|delete|fill|pop|push|reverse|set|shift|sort|splice|unshift)$/

/** Functions that change their first argument. */
const CHANGES_FIRST = /^(Object\.(assign|define\w+|setPrototypeOf)|Reflect\.(set\w*|define\w+|deleteProperty))$/

/** What does something when it is loaded: the code of a thread begins there, or the program. */
const ENTRIES = [
  ...['fleet/heartbeat-thread.ts', 'processor/processor-thread.ts'],
  ...['cli/main.ts', 'cli/java.ts', 'dashboard-page/main.ts']
]

describe('the state of modules', () => {
  it('is none: top-level declarations are const, and files do nothing when they are loaded', () => {
    const moving = offenders(file =>
      file.root.statements
        .filter(statement => !ENTRIES.includes(file.path) || !isBeginning(statement))
        .filter(statement => !isExportOfCommonJs(file, statement))
        .filter(statement =>
          is.isVariableStatement(statement)
            ? !statement.declarationList.getText().startsWith('const ')
            : !isDeclaration(statement)
        )
        .map(statement => [statement, statement.getText().split('\n')[0] ?? ''])
    )
    expect(moving).to.deep.equal([])
  })

  it('is in no collection: a Map or Set at the top level is a ReadonlyMap or ReadonlySet, and nothing there is empty', () => {
    expect(offenders(file => constantsOf(file).flatMap(constant => holdersIn(constant)))).to.deep.equal([])
  })

  it('is in no class: static fields are readonly, and there are no static blocks', () => {
    const statics = offenders(({ nodes }) =>
      nodes
        .filter(node => {
          if (is.isClassStaticBlockDeclaration(node)) return true
          if (!is.isPropertyDeclaration(node) || !hasModifier(node, SyntaxKind.StaticKeyword)) return false
          return !hasModifier(node, SyntaxKind.ReadonlyKeyword)
        })
        .map(node => [node, node.getText()])
    )
    expect(statics).to.deep.equal([])
  })

  it('is not made by changing what was declared or imported', () => {
    const changes = offenders(file => {
      const names = new Set([
        ...topLevelDeclarations(file).map(({ name }) => name),
        ...file.imports.filter(({ isType }) => !isType).flatMap(({ localNames }) => localNames)
      ])
      return file.nodes
        .filter(node => changedBy(node).some(target => names.has(rootOf(target))))
        .map(node => [node, node.getText().split('\n')[0] ?? ''])
    })
    expect(changes).to.deep.equal([])
  })
})

/** What a file of CommonJS exports. */
function isExportOfCommonJs({ path }: SourceFile, statement: Node): boolean {
  return path.endsWith('.cts') && statement.getText().startsWith('module.exports = () => ')
}

/** Where an entry begins: in a thread, if it is one; or with its only function. */
function isBeginning(statement: Node): boolean {
  return is.isIfStatement(statement) || statement.getText() === 'await main()'
}

interface Constant {
  readonly type?: TypeNode | undefined
  readonly value: Node
}

/** Constants at the top level, and static fields, which are the same in another place. */
function constantsOf({ root, nodes }: SourceFile): Constant[] {
  const statics = nodes.filter(is.isPropertyDeclaration).filter(node => hasModifier(node, SyntaxKind.StaticKeyword))
  const constants = root.statements
    .filter(is.isVariableStatement)
    .flatMap(({ declarationList }) => [...declarationList.declarations])
  return [...constants, ...statics].flatMap(({ type, initializer: value }) => (value ? [{ type, value }] : []))
}

/** What in a constant could hold something later. What its functions make is theirs. */
function holdersIn({ type, value }: Constant): Finding[] {
  const isReadonly = type !== undefined && ![type, ...descendants(type)].some(isMutableType)
  const parts = is.isFunctionLikeDeclaration(value) ? [] : [value, ...descendants(value, is.isFunctionLikeDeclaration)]
  return parts.flatMap((node): Finding[] => {
    if (is.isNewExpression(node)) {
      const made = node.expression.getText()
      if (STATELESS.includes(made)) return []
      const isCollection = made === 'Map' || made === 'Set'
      // As the whole value it needs the type itself; inside one, the type of the whole says what it is.
      const isFixed = node === value ? type?.getText().startsWith(`Readonly${made}<`) : isReadonly
      return isCollection && isFixed ? [] : [[node, `new ${made}`]]
    }
    const isEmpty =
      (is.isArrayLiteralExpression(node) && node.elements.length === 0) ||
      (is.isObjectLiteralExpression(node) && node.properties.length === 0)
    if (isEmpty && !isReadonly) return [[node, node.getText()]]
    const isMoving = is.isRegularExpressionLiteral(node) && /\/[a-z]*[gy][a-z]*$/.test(node.text)
    return isMoving ? [[node, `${node.text} keeps its place between calls`]] : []
  })
}

function isMutableType(node: Node): boolean {
  const { parent } = node
  if (is.isArrayTypeNode(node)) return !is.isTypeOperatorNode(parent)
  if (!is.isTypeReferenceNode(node)) return false
  const isWrapped = is.isTypeReferenceNode(parent) && parent.typeName.getText() === 'Readonly'
  return /^(Array|Record|(Weak)?(Map|Set))$/.test(node.typeName.getText()) && !isWrapped
}

/** What a node changes, if it changes something. */
function changedBy(node: Node): Node[] {
  if (is.isBinaryExpression(node)) {
    const { kind } = node.operatorToken
    return kind >= SyntaxKind.FirstAssignment && kind <= SyntaxKind.LastAssignment ? [node.left] : []
  }
  if (is.isPrefixUnaryExpression(node) || is.isPostfixUnaryExpression(node)) {
    return [SyntaxKind.PlusPlusToken, SyntaxKind.MinusMinusToken].includes(node.operator) ? [node.operand] : []
  }
  if (is.isDeleteExpression(node)) return [node.expression]
  if (!is.isCallExpression(node)) return []
  const { expression: callee, arguments: given } = node
  if (CHANGES_FIRST.test(callee.getText())) return given.slice(0, 1)
  return is.isPropertyAccessExpression(callee) && CHANGES.test(callee.name.text) ? [callee.expression] : []
}

/** The name that a path such as `cache.byKey[key]` begins with. */
function rootOf(node: Node): string {
  const isStep =
    is.isPropertyAccessExpression(node) ||
    is.isElementAccessExpression(node) ||
    is.isParenthesizedExpression(node) ||
    is.isNonNullExpression(node) ||
    is.isAsExpression(node)
  return isStep ? rootOf(node.expression) : node.getText()
}

function isDeclaration(node: Node): boolean {
  return (
    is.isImportDeclaration(node) ||
    is.isExportDeclaration(node) ||
    is.isFunctionDeclaration(node) ||
    is.isClassDeclaration(node) ||
    is.isInterfaceDeclaration(node) ||
    is.isTypeAliasDeclaration(node)
  )
}
