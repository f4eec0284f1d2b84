// What decodes a record, in every form that a user can give: a function, an object with a method, or a schema, which is made a
// function of.
import { OptionError, RecordUndecodableError } from '../model/errors.ts'
import { shown } from '../model/option-rules.ts'
import type { ConsumedRecord } from '../model/record.ts'
import type { SchemaIssue, SchemaResult, StandardSchemaV1 } from './standard-schema.ts'

/** Makes a value of a record, at once or by and by. What it throws, or rejects with, says that the record is no such value. */
export type DecodeFunction<Value> = (record: ConsumedRecord) => Plainly<Value> | Promise<Value>

/**
 * `Value`, from which a compiler infers what it is only where nothing else says so: some validators are functions too, which
 * return a value or what is wrong, and what they make is to be inferred from their schema.
 */
type Plainly<Value> = [Value] extends [never] ? never : Value

/** The same as an object, which may have a state of its own, such as schemas that it has looked up. */
export interface Decoder<Value> {
  /**
   * Makes a value of a record. May be called for several records at the same time. An error with `retryable: true`, of the AWS
   * SDK or of a connection, or a `ConsumerError` other than `RecordUndecodableError`, says that the decoder has failed and not
   * the record.
   */
  decode(record: ConsumedRecord): Value | Promise<Value>
}

/**
 * What decodes records: a function, an object with a method `decode`, or a validator that follows Standard Schema, such as one
 * of zod, valibot or arktype, which is given what `JSON.parse` makes of the payload.
 */
export type Decode<Value> = DecodeFunction<Value> | Decoder<Value> | StandardSchemaV1<Value>

const EXPECTED = 'expected a function of a record, an object with a method decode, or a schema such as those of zod'

/**
 * What decodes records, as a function.
 *
 * @param option its name, for errors
 * @throws OptionError if it is none
 */
export function asDecodeFunction<Value>(option: string, given: Decode<Value>): Decoder<Value>['decode'] {
  // First, for there are validators that are functions.
  if (Object(given)['~standard'] !== undefined) return schemaFunction(option, given as StandardSchemaV1<Value>)
  if (typeof given === 'function') {
    if (!/^class\b/.test(Function.prototype.toString.call(given))) return given as Decoder<Value>['decode']
    throw new OptionError(option, `is a class, ${EXPECTED}`)
  }
  const decoder = given as Partial<Decoder<Value>>
  if (typeof Object(decoder).decode === 'function') return record => (decoder as Decoder<Value>).decode(record)
  throw new OptionError(option, `is ${shown(given)}, ${EXPECTED}`)
}

function schemaFunction<Value>(option: string, schema: StandardSchemaV1<Value>): Decoder<Value>['decode'] {
  const standard = schema['~standard']
  const { version, validate } = Object(standard) as Partial<StandardSchemaV1<Value>['~standard']>
  if (version !== 1 || typeof validate !== 'function') {
    throw new OptionError(option, `is a schema of version ${shown(version)} of Standard Schema, expected version 1`)
  }
  return record => validated(record, standard.validate(jsonOf(record)))
}

/**
 * What a validator says of what a record holds: the value.
 *
 * @throws RecordUndecodableError, also by and by, if there is something wrong with it
 */
export function validated<Value>(
  record: ConsumedRecord,
  result: SchemaResult<Value> | Promise<SchemaResult<Value>>
): Value | Promise<Value> {
  return 'then' in result ? result.then(settled => valueIn(record, settled)) : valueIn(record, result)
}

function valueIn<Value>(record: ConsumedRecord, result: SchemaResult<Value>): Value {
  if (result.issues === undefined) return result.value
  const { issues } = result
  const [first] = issues
  const count = issues.length === 1 ? '1 issue' : `${issues.length} issues, the first`
  // The words of the validator may quote the payload.
  const problem = `it does not fit the schema: ${count} at ${placeOf(first)}`
  throw new RecordUndecodableError(record, 'schema-mismatch', problem, { issues })
}

function placeOf(issue: SchemaIssue | undefined): string {
  const path = issue?.path ?? []
  if (path.length === 0) return 'the top'
  return path.map(step => String(typeof step === 'object' ? step.key : step)).join('.')
}

function jsonOf(record: ConsumedRecord): unknown {
  try {
    return record.json()
  } catch (cause) {
    throw new RecordUndecodableError(record, 'not-json', `its ${record.byteLength} bytes are not JSON`, { cause })
  }
}
