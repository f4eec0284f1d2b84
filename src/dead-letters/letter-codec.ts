// A dead letter as one line of JSON, and back. What every destination writes and every source of letters reads.
//
//   {"version":1,"stream":…,"applicationName":…,"shardId":…,"sequenceNumber":"…","subSequenceNumber":0,"partitionKey":…,
//    "explicitHashKey":"…","arrivedAtMs":…,"givenUpAtMs":…,"attempts":…,"error":{"name":…,"message":…},"data":"base64"}
//
// The fields are those of DeadLetter. `explicitHashKey` and `arrivedAtMs` may be missing; fields that are not known are ignored.
import type { DeadLetter } from '../processor/dead-letter.ts'

/** What is read and written. Raised when an older reader would misread what a newer one writes, and not for one more field. */
const VERSION = 1

/** A longer name of an error is cut, in characters: it says nothing of the record, and must not make a letter too large. */
export const MAX_ERROR_NAME = 256

/** A longer message of an error is cut. Characters. */
export const MAX_ERROR_MESSAGE = 4_096

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Characters that some readers take for the end of a line or a document, and that SQS refuses. JSON lets them stand as they are. */
const ODD_CHARACTERS = /[\u007f-\u009f\u2028\u2029\ufffe\uffff]/

/** The letter as JSON without a line break: nothing is lost but the end of the text of an error that is very long. */
export function encodeDeadLetter(letter: DeadLetter): string {
  const { explicitHashKey, arrivedAtMs, error, data } = letter
  return escaped(
    JSON.stringify({
      version: VERSION,
      stream: letter.stream,
      applicationName: letter.applicationName,
      shardId: letter.shardId,
      sequenceNumber: letter.sequenceNumber,
      subSequenceNumber: letter.subSequenceNumber,
      partitionKey: letter.partitionKey,
      ...(explicitHashKey !== undefined && { explicitHashKey }),
      ...(arrivedAtMs !== undefined && { arrivedAtMs }),
      givenUpAtMs: letter.givenUpAtMs,
      attempts: letter.attempts,
      error: { name: error.name.slice(0, MAX_ERROR_NAME), message: error.message.slice(0, MAX_ERROR_MESSAGE) },
      data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')
    })
  )
}

/** The letters as JSON Lines, each line with its end. */
export function encodeDeadLetters(letters: readonly DeadLetter[]): Buffer {
  return Buffer.from(letters.map(letter => `${encodeDeadLetter(letter)}\n`).join(''))
}

/**
 * The letter that a destination wrote. `at` says in errors where it was found, such as `line 3 of letters.jsonl`.
 *
 * @throws SyntaxError if it is none, or has a version that is not known. Names the field, and never quotes a value.
 */
export function parseDeadLetter(json: string | Uint8Array, at = 'the text'): DeadLetter {
  const fields = new Fields(parse(json, at), at)
  const version = fields.number('version')
  if (version !== VERSION) {
    fields.refuse('version', `is ${version}, expected ${VERSION}: a letter of another version of Millrace`)
  }
  const error = new Fields(fields.object('error'), at, 'error.')
  const explicitHashKey = fields.has('explicitHashKey') ? fields.digits('explicitHashKey') : undefined
  const arrivedAtMs = fields.has('arrivedAtMs') ? fields.number('arrivedAtMs') : undefined
  return {
    stream: fields.text('stream'),
    applicationName: fields.text('applicationName'),
    shardId: fields.text('shardId'),
    sequenceNumber: fields.digits('sequenceNumber'),
    subSequenceNumber: fields.count('subSequenceNumber'),
    partitionKey: fields.text('partitionKey'),
    ...(explicitHashKey !== undefined && { explicitHashKey }),
    data: fields.bytes('data'),
    ...(arrivedAtMs !== undefined && { arrivedAtMs }),
    givenUpAtMs: fields.number('givenUpAtMs'),
    attempts: fields.count('attempts'),
    error: { name: error.text('name'), message: error.text('message') }
  }
}

function parse(json: string | Uint8Array, at: string): object {
  let value: unknown
  try {
    value = JSON.parse(typeof json === 'string' ? json : utf8.decode(json))
  } catch {
    // What JSON.parse complains about quotes the text, and that is the payload.
    throw new SyntaxError(`${at} is no dead letter: it is not JSON, or only the beginning of it (${json.length} long)`)
  }
  if (isObject(value)) return value
  throw new SyntaxError(`${at} is no dead letter: it is ${kindOf(value)}, expected an object`)
}

/** The fields of an object that anybody may have written. */
class Fields {
  readonly #object: object
  readonly #at: string
  readonly #path: string

  constructor(object: object, at: string, path = '') {
    this.#object = object
    this.#at = at
    this.#path = path
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#object, name)
  }

  text(name: string): string {
    const value = this.#own(name)
    return typeof value === 'string' ? value : this.#unlike(name, value, 'text')
  }

  digits(name: string): string {
    const value = this.text(name)
    return /^\d{1,256}$/.test(value) ? value : this.refuse(name, 'is no number, expected decimal digits in quotes')
  }

  number(name: string): number {
    const value = this.#own(name)
    return typeof value === 'number' ? value : this.#unlike(name, value, 'a number')
  }

  count(name: string): number {
    const value = this.number(name)
    if (Number.isSafeInteger(value) && value >= 0) return value
    return this.refuse(name, `is ${value}, expected a whole number from 0`)
  }

  bytes(name: string): Uint8Array {
    const text = this.text(name)
    const bytes = Buffer.from(text, 'base64')
    // A reader of base64 takes anything; only what it writes again in the same way was base64 as it was written here.
    return bytes.toString('base64') === text ? bytes : this.refuse(name, 'is not base64, or only a part of it')
  }

  object(name: string): object {
    const value = this.#own(name)
    return isObject(value) ? value : this.#unlike(name, value, 'an object')
  }

  refuse(name: string, problem: string): never {
    throw new SyntaxError(`${this.#at} is no dead letter: field ${this.#path}${name} ${problem}`)
  }

  #own(name: string): unknown {
    return this.has(name) ? Reflect.get(this.#object, name) : undefined
  }

  #unlike(name: string, value: unknown, expected: string): never {
    const problem = value === undefined ? 'is missing' : `is ${kindOf(value)}`
    return this.refuse(name, `${problem}, expected ${expected}`)
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

function escaped(json: string): string {
  if (!ODD_CHARACTERS.test(json)) return json
  return json.replace(new RegExp(ODD_CHARACTERS, 'g'), odd => `\\u${odd.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
