// The values of a .properties file, read one after another: what each comes to, and everything that is wrong, with its line.
import { shown } from '../model/option-rules.ts'
import { shownProvider } from './credential-rules.ts'
import { nearestKey } from './nearest-key-rules.ts'
import { effectiveEntries, type PropertiesFile, type Property } from './properties.ts'
import { canonicalKey, OWN_PREFIX, type PropertyRow, rowOf } from './property-table.ts'

/**
 * What became of an entry: `honoured`, `adjusted` to what there is, `no-effect`, `not-applied` as in Java (the trap of `0` and
 * `false`), `unknown`, `overridden` by another one, or `ignored` because the file says so.
 */
export type FindingKind =
  | 'honoured'
  | 'adjusted'
  | 'no-effect'
  | 'not-applied'
  | 'unknown'
  | 'overridden'
  | 'ignored'
  | 'missing'

/** What one entry, or one that is not there, came to. */
export interface Finding {
  readonly kind: FindingKind
  readonly property: string
  /** The line of the entry. Absent: there is none. */
  readonly line?: number
  /** The value, without what is secret in it. Absent for unknown keys, whose values nobody can judge. */
  readonly value?: string
  /** What it comes to, in words. */
  readonly told: string
}

/** Why no daemon can start with the file. */
export interface PropertyProblem {
  readonly property: string
  /** Absent: the entry is missing. */
  readonly line?: number
  /** What, why, and what to do. */
  readonly problem: string
}

/** The numbers that a value may be. */
export interface IntegerRange {
  readonly min: number
  readonly max: number
  /** What a value outside of the range is moved to, and why; without it, such a value is a problem. */
  readonly because?: string
}

const TRUE: readonly string[] = ['true', 'yes', 'y', 'on', '1']
const FALSE: readonly string[] = ['false', 'no', 'n', 'off', '0']

/** The entries of one file while its settings are made: asked by key, they note what they came to. */
export class PropertySheet {
  readonly #entries: ReadonlyMap<string, Property & { readonly row: PropertyRow }>
  /** Keys that the file says to ignore where they would be refused. */
  readonly #ignored: readonly string[]
  readonly #findings: Finding[] = []
  readonly #problems: PropertyProblem[] = []

  constructor({ entries, malformed }: PropertiesFile) {
    for (const { line, problem } of malformed) this.#problems.push({ property: 'the line', line, problem })
    const renamed = entries.map(entry => ({ ...entry, key: canonicalKey(entry.key), value: entry.value.trim() }))
    const effective = effectiveEntries(renamed)
    const ignore = effective.find(({ key }) => key === `${OWN_PREFIX}ignore`)?.value ?? ''
    this.#ignored = ignore.split(',').map(name => canonicalKey(name.trim()))
    const known = new Map<string, Property & { readonly row: PropertyRow }>()
    for (const entry of renamed) {
      const { key, line } = entry
      const row = rowOf(key)
      const last = effective.find(candidate => candidate.key === key)
      if (last !== entry) {
        this.#note({ kind: 'overridden', property: key, line, told: `line ${last?.line} says it again, and counts` })
      } else if (row !== undefined) known.set(key, { ...entry, row })
      else this.#stranger(entry)
    }
    this.#entries = known
    this.#tellWithoutEffect()
  }

  /** What every entry came to, in the order of the file; what is missing comes last. */
  get findings(): readonly Finding[] {
    const lineOf = ({ line = Number.POSITIVE_INFINITY }: Finding): number => line
    return this.#findings.toSorted((a, b) => Math.sign(lineOf(a) - lineOf(b)) || 0)
  }

  /** Everything that is wrong, in the order of the file. */
  get problems(): readonly PropertyProblem[] {
    const lineOf = ({ line = Number.POSITIVE_INFINITY }: PropertyProblem): number => line
    return this.#problems.toSorted((a, b) => Math.sign(lineOf(a) - lineOf(b)) || 0)
  }

  /** Whether there is such an entry that KCL for Java would apply. */
  has(key: string): boolean {
    const entry = this.#entries.get(key)
    return entry !== undefined && entry.value !== '' && !this.#isTrapped(entry)
  }

  /** The value of a text, `undefined` if it is empty or not there. */
  text(key: string, form?: { readonly pattern: RegExp; readonly expected: string }): string | undefined {
    return this.#read(key, value => {
      if (form === undefined || form.pattern.test(value)) return value
      return this.#wrong(key, `is ${shown(value)}, expected ${form.expected}`)
    })
  }

  /** The value of a text without which nothing can start. Where it is missing that is noted, and the text is empty. */
  required(key: string, form: { readonly pattern: RegExp; readonly expected: string }): string {
    if (!this.#hasValue(key)) this.missing(key, `is missing, expected ${form.expected}`)
    return this.text(key, form) ?? ''
  }

  /** One of a few words, in any case. */
  word<T extends string>(key: string, words: readonly T[]): T | undefined {
    return this.#read(key, value => {
      const word = words.find(candidate => candidate.toLowerCase() === value.toLowerCase())
      return word ?? this.#wrong(key, `is ${shown(value)}, expected ${listed(words)}`)
    })
  }

  /** A whole number within a range, `undefined` where it is not there or Java would not apply it. */
  integer(key: string, range: IntegerRange): number | undefined {
    return this.#read(key, value => {
      const number = /^[+-]?\d{1,19}$/.test(value) ? Number(value) : Number.NaN
      if (number >= range.min && number <= range.max) return number
      const expected = `a whole number from ${range.min.toLocaleString('en')} to ${range.max.toLocaleString('en')}`
      if (range.because === undefined || Number.isNaN(number)) {
        return this.#wrong(key, `is ${shown(value)}, expected ${expected}`)
      }
      const used = Math.min(Math.max(number, range.min), range.max)
      this.#adjusted(key, `${used} is used: ${range.because}`)
      return used
    })
  }

  /** A number within a range. */
  number(key: string, { min, max }: IntegerRange): number | undefined {
    return this.#read(key, value => {
      const number = /^[+-]?(\d+\.?\d*|\.\d+)$/.test(value) ? Number(value) : Number.NaN
      if (number >= min && number <= max) return number
      return this.#wrong(key, `is ${shown(value)}, expected a number from ${min} to ${max.toLocaleString('en')}`)
    })
  }

  /** Yes or no, in the words that Java's BeanUtils takes. */
  flag(key: string): boolean | undefined {
    return this.#read(key, value => {
      const word = value.toLowerCase()
      if (TRUE.includes(word)) return true
      return FALSE.includes(word) ? false : this.#wrong(key, `is ${shown(value)}, expected true or false`)
    })
  }

  /** Notes that a value which can be read cannot be used. */
  refuse(key: string, problem: string): undefined {
    const finding = this.#findings.findIndex(({ property, kind }) => property === key && kind === 'honoured')
    if (finding !== -1) this.#findings.splice(finding, 1)
    if (!this.#ignored.includes(key)) return this.#wrong(key, problem)
    this.#note({ kind: 'ignored', property: key, ...this.#lineOf(key), told: `as millrace.ignore says: it ${problem}` })
    return undefined
  }

  /** Notes that there is no entry where one is needed. */
  missing(key: string, problem: string): void {
    this.#problems.push({ property: key, ...this.#lineOf(key), problem })
  }

  /** Notes what holds because there is no entry, or one that only says what holds without it. */
  absent(key: string, told: string): void {
    const finding = this.#findings.findIndex(({ property, kind }) => property === key && kind === 'honoured')
    const [given] = finding === -1 ? [] : this.#findings.splice(finding, 1)
    this.#note(given === undefined ? { kind: 'missing', property: key, told } : { ...given, told })
  }

  /** Notes that another entry counts in place of this one. */
  overridden(key: string, told: string): void {
    const finding = this.#findings.findIndex(({ property, kind }) => property === key && kind === 'honoured')
    if (finding === -1) return
    const [{ line, value } = {}] = this.#findings.splice(finding, 1)
    const place = { ...(line !== undefined && { line }), ...(value !== undefined && { value }) }
    this.#note({ kind: 'overridden', property: key, ...place, told })
  }

  /** Notes that something else is done than a value says. */
  #adjusted(key: string, told: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#note({ kind: 'adjusted', property: key, line: entry.line, value: shownValue(entry), told })
  }

  #read<T>(key: string, convert: (value: string) => T | undefined): T | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    const { line, row } = entry
    const value = shownValue(entry)
    if (entry.value === '') {
      this.#note({ kind: 'not-applied', property: key, line, value, told: 'it is empty, and counts as not there' })
      return undefined
    }
    if (this.#isTrapped(entry)) {
      const told = `as in KCL for Java, which does not apply ${value} to this key: ${row.byDefault} stays`
      this.#note({ kind: 'not-applied', property: key, line, value, told })
      return undefined
    }
    const before = this.#findings.length
    const converted = convert(entry.value)
    if (converted !== undefined && this.#findings.length === before) {
      const told = row.use === 'refused' ? 'it changes nothing here' : plain(row.meaning)
      this.#note({ kind: 'honoured', property: key, line, value, told })
    }
    return converted
  }

  /** Java cannot tell a primitive value that was not set from one that is 0 or false. */
  #isTrapped({ value, row }: { readonly value: string; readonly row: PropertyRow }): boolean {
    if (!row.isTrap) return false
    if (row.type === 'flag') return FALSE.includes(value.toLowerCase()) && row.byDefault !== 'false'
    return /^[+-]?0+$/.test(value)
  }

  #hasValue(key: string): boolean {
    return (this.#entries.get(key)?.value ?? '') !== ''
  }

  #lineOf(key: string): { readonly line?: number } {
    const line = this.#entries.get(key)?.line
    return line === undefined ? {} : { line }
  }

  #stranger({ key, line }: Property): void {
    if (/^(AwsCredentialsProvider\w*|(kinesis|dynamoDb|cloudWatch)Client)\./.test(key)) {
      const told = 'is a setting of a class of the AWS SDK for Java, and no counterpart of it is known here'
      const todo = `take it out, or add it to ${OWN_PREFIX}ignore`
      if (this.#ignored.includes(key)) {
        this.#note({ kind: 'ignored', property: key, line, told: `as millrace.ignore says: it ${told}` })
      } else this.#problems.push({ property: key, line, problem: `${told}: ${todo}` })
      return
    }
    const nearest = nearestKey(key)
    const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`
    if (key.startsWith(OWN_PREFIX)) {
      this.#problems.push({ property: key, line, problem: `is not known${hint}` })
      return
    }
    this.#note({
      kind: 'unknown',
      property: key,
      line,
      told: `not known, so ignored, which KCL does in silence${hint}`
    })
  }

  #tellWithoutEffect(): void {
    for (const { key, line, row, ...entry } of this.#entries.values()) {
      if (row.use !== 'no-effect') continue
      const value = shownValue({ key, value: entry.value })
      this.#note({ kind: 'no-effect', property: key, line, value, told: plain(row.meaning) })
    }
  }

  #wrong(key: string, problem: string): undefined {
    this.#problems.push({ property: key, ...this.#lineOf(key), problem })
    return undefined
  }

  #note(finding: Finding): void {
    this.#findings.push(finding)
  }
}

/** A value as it may be shown: of credentials the names of the providers, and nothing behind them. */
export function shownValue({ key, value }: Pick<Property, 'key' | 'value'>): string {
  if (!/^awscredentialsprovider/i.test(key)) return value.length > 200 ? `${value.slice(0, 200)}…` : value
  return value.split(',').map(shownProvider).join(', ')
}

/** Markdown as plain text. */
export function plain(markdown: string): string {
  return markdown.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', '')
}

function listed(words: readonly string[]): string {
  return words.join(', ').replace(/, ([^,]*)$/, ' or $1')
}
