// The policies in deploy/iam/, as the tests read them.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../support/source-files.ts'
import type { Statement } from './policy-gate.ts'

const FOLDER = join(ROOT, 'deploy/iam')

/** The name of every policy. */
export const POLICY_NAMES: readonly string[] = readdirSync(FOLDER).map(file => file.replace(/\.json$/, ''))

/** One policy. */
export interface Policy {
  readonly Version: string
  readonly Statement: readonly (Statement & { readonly Sid: string })[]
}

/** A policy, with these names in the place of the words that stand for them. */
export function policy(name: string, names: Readonly<Record<string, string>> = {}): Policy {
  const text = readFileSync(join(FOLDER, `${name}.json`), 'utf8')
  return JSON.parse(Object.entries(names).reduce((done, [word, value]) => done.replaceAll(word, value), text))
}
