// What is told of the entries of a .properties file: which lines of the log, and what `--check` prints.
import type { Finding, FindingKind, PropertyProblem } from './property-rules.ts'

/** How much a finding matters. */
export type FindingLevel = 'debug' | 'info' | 'warn'

const LEVELS: Readonly<Record<FindingKind, FindingLevel>> = {
  honoured: 'debug',
  missing: 'info',
  'no-effect': 'info',
  adjusted: 'warn',
  'not-applied': 'warn',
  unknown: 'warn',
  overridden: 'warn',
  ignored: 'warn'
}

/** How much a finding matters at the start of a daemon: what is done as it was written is nothing to tell. */
export function levelOf({ kind }: Finding): FindingLevel {
  return LEVELS[kind]
}

/** What an entry came to, in a line. */
export function findingText({ kind, property, value, told }: Finding): string {
  const entry = value === undefined ? property : `${property}=${value}`
  switch (kind) {
    case 'honoured':
      return `${entry}: ${told}`
    case 'no-effect':
      return `${entry}: no effect; ${told}`
    case 'adjusted':
      return `${entry}: ${told}`
    case 'not-applied':
      return `${entry}: not applied, ${told}`
    case 'unknown':
      return `${entry}: ${told}`
    case 'overridden':
      return `${entry}: does not count, ${told}`
    case 'ignored':
      return `${entry}: ignored, ${told}`
    case 'missing':
      return `${entry}, which is not there: ${told}`
  }
}

/** A problem with where it is, as compilers write it. */
export function problemText(file: string, { property, line, problem }: PropertyProblem): string {
  return `${file}${line === undefined ? '' : `:${line}`}: ${property} ${problem}`
}
