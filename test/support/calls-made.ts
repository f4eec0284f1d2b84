// Which calls to AWS the code can make, as the actions that policies allow: found in what `src` makes of the SDK's commands.
import { is, sourceFiles } from './source-files.ts'

/** Actions that allow other calls than those they are named after. */
const ALLOWED_BY: Readonly<Record<string, string>> = {
  's3:ListObjectsV2': 's3:ListBucket',
  'sqs:SendMessageBatch': 'sqs:SendMessage',
  'sqs:ChangeMessageVisibilityBatch': 'sqs:ChangeMessageVisibility',
  // The document client has names of its own for the calls about one item.
  ...Object.fromEntries(['Delete', 'Get', 'Put', 'Update'].map(call => [`dynamodb:${call}`, `dynamodb:${call}Item`]))
}

/** The actions, each with the files that need it. */
export function callsMade(): ReadonlyMap<string, readonly string[]> {
  const calls = new Map<string, string[]>()
  for (const { path, nodes, imports } of sourceFiles()) {
    for (const node of nodes.filter(is.isNewExpression)) {
      const [, peer, name] = /^(?:(\w+)\.)?(\w+)Command$/.exec(node.expression.getText()) ?? []
      if (name === undefined) continue
      const packageName = imports.find(({ localNames }) => localNames.includes(`${name}Command`))?.target
      const service = peer ?? packageName?.replace(/^@aws-sdk\/(client-|lib-)/, '')
      if (service === undefined) throw new Error(`${path} makes a ${name}Command of a package that is not known`)
      const action = ALLOWED_BY[`${service}:${name}`] ?? `${service}:${name}`
      calls.set(action, [...(calls.get(action) ?? []), path])
    }
  }
  return calls
}
