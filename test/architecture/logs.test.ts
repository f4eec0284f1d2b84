// The log lines in src: a constant sentence and an object, in which there is nothing of what records carry.
import { expect } from 'chai'
import { descendants, type Finding, is, type Node, offenders, type SourceFile } from '../support/source-files.ts'

const LEVELS = /^(debug|info|warn|error)$/
/** Where lines are passed on that others have made. */
const PASSED_ON = ['runtime/logger.ts', 'worker/event-log.ts', 'worker/failure-options.ts']
/** What may hold a payload, or part of it. */
const PAYLOADS = /^(data|payload|payloads|record|records|text|body|json|letters|partitionKey|key|batch)$/

interface LogCall {
  readonly node: Node
  readonly fields: Node | undefined
  readonly message: Node | undefined
}

/** Calls such as `logger.warn(…)`, `this.#logger.info(…)` and `log.debug(…)`. */
function logCalls({ nodes }: SourceFile): LogCall[] {
  return nodes.filter(is.isCallExpression).flatMap(node => {
    const { expression: called } = node
    if (!is.isPropertyAccessExpression(called) || !LEVELS.test(called.name.getText())) return []
    if (!/(^|\.|#)(logger|log)$/.test(called.expression.getText())) return []
    return [{ node, fields: node.arguments[0], message: node.arguments[1] }]
  })
}

/** The names of the fields of an object, as they are written. */
function fieldNames(fields: Node): string[] {
  return [fields, ...descendants(fields)].flatMap(node => {
    if (is.isShorthandPropertyAssignment(node)) return [node.name.getText()]
    if (is.isPropertyAssignment(node)) return [node.name.getText()]
    return []
  })
}

describe('the log lines in src', () => {
  it('are found: there are some in several folders', () => {
    let count = 0
    offenders(file => {
      count += logCalls(file).length
      return []
    })
    expect(count).to.be.above(15)
  })

  it('have a sentence that is a constant', () => {
    const odd = offenders(file =>
      PASSED_ON.includes(file.path)
        ? []
        : logCalls(file)
            .filter(({ message }) => message === undefined || !is.isStringLiteral(message))
            .map(({ node }): Finding => [node, 'expected a constant sentence'])
    )
    expect(odd).to.deep.equal([])
  })

  it('have an object without anything that records carry', () => {
    const odd = offenders(file =>
      logCalls(file).flatMap(({ node, fields }): Finding[] => {
        if (fields === undefined) return [[node, 'expected an object']]
        return fieldNames(fields)
          .filter(name => PAYLOADS.test(name))
          .map(name => [node, `says ${name}`])
      })
    )
    expect(odd).to.deep.equal([])
  })

  it('call an error err, as pino and others expect it', () => {
    const odd = offenders(file =>
      logCalls(file).flatMap(({ node, fields }): Finding[] =>
        fields !== undefined && fieldNames(fields).includes('error') ? [[node, 'says error, expected err']] : []
      )
    )
    expect(odd).to.deep.equal([])
  })
})
