// Names and errors: what things may be called, and what may be done with an error that was caught.
import { expect } from 'chai'
import {
  descendants,
  type Finding,
  is,
  type Node,
  offenders,
  type SourceFile,
  SyntaxKind,
  sourceFiles,
  topLevelDeclarations
} from '../support/source-files.ts'

/** Words that say nothing about what a thing is. */
const EMPTY_WORDS = ['Helper', 'Helpers', 'Impl', 'Manager', 'Util', 'Utils']

/** The files that know the errors of the AWS SDK, which have nothing but a name and a message. */
const ERROR_MAPS = [
  'kinesis/sdk-kinesis-errors.ts',
  'dynamo/dynamo-errors.ts',
  'dynamodb-streams/sdk-streams-errors.ts',
  'glue-schema-registry/glue-errors.ts'
]

describe('the names in src', () => {
  it('are kebab-case for files and folders', () => {
    const odd = sourceFiles().filter(
      ({ path }) => !/^([a-z0-9]+(-[a-z0-9]+)*\/)?[a-z0-9]+(-[a-z0-9]+)*\.c?ts$/.test(path)
    )
    expect(odd.map(({ path }) => path)).to.deep.equal([])
  })

  it('say what a thing is: none has to do with managers, helpers, utils or impls', () => {
    const files = sourceFiles().filter(({ path }) => hasEmptyWord(path))
    expect(files.map(({ path }) => path)).to.deep.equal([])
    const declarations = offenders(file =>
      topLevelDeclarations(file)
        .filter(({ name }) => hasEmptyWord(name))
        .map(({ name, node }) => [node, name])
    )
    expect(declarations).to.deep.equal([])
  })

  it('have no I in front of interfaces and types', () => {
    const prefixed = offenders(({ nodes }) =>
      nodes
        .filter(node => is.isInterfaceDeclaration(node) || is.isTypeAliasDeclaration(node))
        .filter(({ name }) => /^I[A-Z]/.test(name.text))
        .map(node => [node, node.name.text])
    )
    expect(prefixed).to.deep.equal([])
  })
})

describe('the errors in src', () => {
  it('are never swallowed in silence: a catch does something, or says why not', () => {
    const empty = offenders(({ nodes }) =>
      nodes
        .filter(is.isCatchClause)
        .filter(({ block }) => /^\{\s*\}$/.test(block.getText()))
        .map(node => [node, node.getText()])
    )
    expect(empty).to.deep.equal([])
  })

  it('are told apart by class or code; by name and message only where those of the SDK become ours', () => {
    expect(offenders(file => (ERROR_MAPS.includes(file.path) ? [] : branchesOnText(file)))).to.deep.equal([])
  })
})

/** Whether one of the words in a name, be it kebab-case or camelCase, is empty. */
function hasEmptyWord(name: string): boolean {
  const words = name.split(/[^a-zA-Z]|(?<=[a-z0-9])(?=[A-Z])/)
  return words.some(word => EMPTY_WORDS.some(empty => empty.toLowerCase() === word.toLowerCase()))
}

/** Where the name or the message of an error decides something, or is taken out of it to. */
function branchesOnText({ nodes }: SourceFile): Finding[] {
  const caught = new Set(nodes.filter(is.isCatchClause).map(node => node.variableDeclaration?.name.getText() ?? ''))
  const isError = (node: Node): boolean =>
    /err|cause|exception|failure|problem|reason|thrown/i.test(node.getText()) ||
    [node, ...descendants(node)].some(part => is.isIdentifier(part) && caught.has(part.text))
  return nodes.flatMap((node): Finding[] => {
    const finding: Finding = [node, node.parent.getText().split('\n')[0] ?? '']
    if (is.isBindingElement(node)) {
      const pattern = node.parent
      const source = is.isVariableDeclaration(pattern.parent) ? pattern.parent.initializer : pattern.parent
      const isTaken = /^(name|message)$/.test((node.propertyName ?? node.name)?.getText() ?? '')
      return isTaken && source !== undefined && isError(source) ? [finding] : []
    }
    const isText =
      (is.isPropertyAccessExpression(node) && /^(name|message)$/.test(node.name.text)) ||
      (is.isElementAccessExpression(node) && /^['"`](name|message)['"`]$/.test(node.argumentExpression.getText()))
    return isText && isError(node.expression) && decides(node) ? [finding] : []
  })
}

/** Functions of a text, or of what is asked about it, whose answer is a decision. */
const ASKS = /^(endsWith|exec|get|has|includes|indexOf|localeCompare|match|matchAll|search|startsWith|test)$/

/** Whether a value is compared, asked about, or what a branch depends on. */
function decides(node: Node): boolean {
  const { parent } = node
  if (is.isParenthesizedExpression(parent) || is.isNonNullExpression(parent) || is.isAsExpression(parent))
    return decides(parent)
  if (is.isTemplateSpan(parent)) return decides(parent.parent)
  if (is.isPropertyAccessExpression(parent)) {
    if (ASKS.test(parent.name.text)) return true
    // What a method makes of it, as in `error.message.toLowerCase().includes(…)`.
    return is.isCallExpression(parent.parent) && parent.parent.expression === parent && decides(parent.parent)
  }
  if (is.isCallExpression(parent)) {
    const { expression: callee } = parent
    return callee !== node && is.isPropertyAccessExpression(callee) && ASKS.test(callee.name.text)
  }
  if (is.isBinaryExpression(parent))
    return (
      COMPARES.includes(parent.operatorToken.kind) ||
      (LOGIC.includes(parent.operatorToken.kind) && parent.left === node)
    )
  if (is.isConditionalExpression(parent)) return parent.condition === node
  if (is.isElementAccessExpression(parent)) return parent.argumentExpression === node
  if (is.isIfStatement(parent) || is.isSwitchStatement(parent) || is.isWhileStatement(parent))
    return parent.expression === node
  return is.isPrefixUnaryExpression(parent) && parent.operator === SyntaxKind.ExclamationToken
}

const LOGIC = [SyntaxKind.AmpersandAmpersandToken, SyntaxKind.BarBarToken, SyntaxKind.QuestionQuestionToken]
const COMPARES = [
  SyntaxKind.EqualsEqualsToken,
  SyntaxKind.EqualsEqualsEqualsToken,
  SyntaxKind.ExclamationEqualsToken,
  SyntaxKind.ExclamationEqualsEqualsToken,
  SyntaxKind.LessThanToken,
  SyntaxKind.GreaterThanToken,
  SyntaxKind.InKeyword
]
