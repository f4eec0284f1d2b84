// Errors on their way between threads: what they are made of, and back into the classes that they were. What cannot cross,
// such as a socket that hangs on an error, stays behind.
import {
  BugError,
  CheckpointRefusedError,
  DeadLetterError,
  FailedRecordsError,
  HandlerTimeoutError,
  LeaseLostError,
  messageOf,
  OptionError,
  ProcessorError,
  ProcessorGoneError,
  RecordTooOldError,
  RecordUndecodableError,
  ServiceError,
  StalledError,
  TableMismatchError,
  ThrottledError,
  WorkerStoppedError
} from '../model/errors.ts'

/** What was thrown, as plain data. An error keeps the name of the nearest class that both sides know. */
export type SentError =
  | { readonly kind: 'value'; readonly value: unknown }
  | {
      readonly kind: 'error'
      readonly type: string
      readonly name: string
      readonly message: string
      readonly stack?: string
      /** Its own enumerable properties that can be cloned. */
      readonly fields: Readonly<Record<string, unknown>>
      readonly cause?: SentError
      /** Those of an AggregateError. */
      readonly errors?: readonly SentError[]
    }

type ErrorClass = abstract new (...given: never[]) => Error

const KNOWN: Readonly<Record<string, ErrorClass>> = {
  AggregateError,
  BugError,
  CheckpointRefusedError,
  DeadLetterError,
  Error,
  EvalError,
  FailedRecordsError,
  HandlerTimeoutError,
  LeaseLostError,
  OptionError,
  ProcessorError,
  ProcessorGoneError,
  RangeError,
  RecordTooOldError,
  RecordUndecodableError,
  ReferenceError,
  ServiceError,
  StalledError,
  SyntaxError,
  TableMismatchError,
  ThrottledError,
  TypeError,
  URIError,
  WorkerStoppedError
}

/** What is sent by other means, or is a matter of where the error was made. */
const SENT_APART = ['message', 'stack', 'cause', 'errors']
/** Causes may go round in a circle. */
const DEEPEST = 8

/** What was thrown, as it is sent. Never throws. */
export function sentError(thrown: unknown, depth = 0): SentError {
  try {
    return thrown instanceof Error ? sentParts(thrown, depth) : { kind: 'value', value: structuredClone(thrown) }
  } catch {
    const message = messageOf(thrown)
    return { kind: 'error', type: 'Error', name: 'Error', message, fields: {} }
  }
}

/** What was sent, as it can be thrown: of the same class if it is one of the language's or of Millrace's. */
export function receivedError(sent: SentError): unknown {
  if (sent.kind === 'value') return sent.value
  const { type, name, message, stack, fields, cause, errors } = sent
  const options = cause && { cause: receivedError(cause) }
  if (type === 'DOMException') return new DOMException(message, { name, ...options })
  // The constructors of subclasses make messages of their own: the error is made without them, of their kind all the same.
  const error: Error = Reflect.construct(Error, [message, options], KNOWN[type] ?? Error)
  if (!Object.hasOwn(fields, 'name')) setHidden(error, 'name', name)
  if (stack !== undefined) setHidden(error, 'stack', stack)
  if (errors !== undefined) setHidden(error, 'errors', errors.map(receivedError))
  return Object.assign(error, fields)
}

function sentParts(error: Error, depth: number): SentError {
  const { stack, cause } = error
  const isDeepest = depth >= DEEPEST
  return {
    kind: 'error',
    type: typeOf(error),
    name: String(error.name),
    message: String(error.message),
    ...(typeof stack === 'string' && { stack }),
    fields: clonableFields(error),
    ...(cause !== undefined && !isDeepest && { cause: sentError(cause, depth + 1) }),
    ...(error instanceof AggregateError &&
      !isDeepest && { errors: error.errors.map(each => sentError(each, depth + 1)) })
  }
}

function typeOf(error: Error): string {
  if (error instanceof DOMException) return 'DOMException'
  for (let type = Object.getPrototypeOf(error); type !== null; type = Object.getPrototypeOf(type)) {
    const name: unknown = type.constructor?.name
    if (typeof name === 'string' && Object.hasOwn(KNOWN, name) && KNOWN[name] === type.constructor) return name
  }
  return 'Error'
}

function clonableFields(error: Error): Record<string, unknown> {
  const fields: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(error)) {
    if (SENT_APART.includes(key)) continue
    try {
      fields[key] = structuredClone(value)
    } catch {
      // A socket, a function: it means nothing on the other side.
    }
  }
  return fields
}

function setHidden(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false })
}
