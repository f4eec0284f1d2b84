// Turns what goes wrong with a call into our errors, be it the SDK that threw it, the service or a connection. The only place of
// this folder that judges by names. Messages name the call, the shard and the stream and say what to do; they never quote a
// payload.
import { ServiceError, type ServiceErrorKind, ThrottledError } from '../model/errors.ts'

/** Which call failed. */
export interface FailedCall {
  /** The API's name of it, such as `GetRecords`. */
  readonly name: string
  readonly streamName: string
  readonly shardId?: string | undefined
}

/** The call, in words. */
export function callText({ name, streamName, shardId }: FailedCall): string {
  return shardId === undefined ? `${name} of stream ${streamName}` : `${name} of ${shardId} in stream ${streamName}`
}

interface Rule {
  readonly kind: ServiceErrorKind | 'throttled'
  readonly retryable: boolean
  readonly advice: (call: FailedCall) => string
}

const throttled: Rule = { kind: 'throttled', retryable: true, advice: () => 'Kinesis asks to slow down' }

const notFound: Rule = {
  kind: 'not-found',
  retryable: false,
  advice: ({ shardId }) => `there is no such ${shardId === undefined ? 'stream' : 'shard or stream'} (any more)`
}

const invalid: Rule = { kind: 'invalid-argument', retryable: false, advice: () => 'Kinesis rejects the request' }

const expiredIterator: Rule = {
  kind: 'expired-iterator',
  retryable: false,
  advice: () => 'the shard iterator is more than five minutes old; get a new one'
}

const inUse: Rule = {
  kind: 'in-use',
  retryable: true,
  advice: () => 'the stream is being created, changed or deleted'
}

const denied: Rule = {
  kind: 'access-denied',
  retryable: false,
  advice: ({ name }) => `allow kinesis:${name} on the stream to the role or user whose credentials these are`
}

const noKey: Rule = {
  kind: 'access-denied',
  retryable: false,
  advice: () => 'allow kms:Decrypt on the key that encrypts the stream, and see that the key is enabled'
}

const noCredentials: Rule = {
  kind: 'access-denied',
  retryable: false,
  advice: () => 'there are no usable AWS credentials; set them in the environment or pass `credentials` to the client'
}

// The next attempt signs with fresh credentials, and with a clock that the SDK has set right from the answer.
const staleSignature: Rule = {
  kind: 'access-denied',
  retryable: true,
  advice: () => 'the credentials have expired or do not match, or the clock of this machine is wrong'
}

const noRegion: Rule = {
  kind: 'other',
  retryable: false,
  advice: () =>
    'no AWS region is configured; set AWS_REGION, pass `region` to the client, or name the stream by its ARN'
}

const timeout: Rule = { kind: 'timeout', retryable: true, advice: () => 'there was no answer in time' }

const unreachable: Rule = {
  kind: 'other',
  retryable: true,
  advice: () => 'Kinesis could not be reached, or the connection broke'
}

const UNTRUSTED =
  'the certificate of what answers is not trusted; if that is a proxy or an emulator with one of its own, name the file with the certificate of its authority in NODE_EXTRA_CA_CERTS, and see that the clock of this machine is right'

const untrusted: Rule = { kind: 'other', retryable: false, advice: () => UNTRUSTED }

const garbled: Rule = { kind: 'other', retryable: true, advice: () => 'the answer could not be read' }

const serverFault: Rule = { kind: 'other', retryable: true, advice: () => 'Kinesis had a fault of its own' }

const listAgain: Rule = { kind: 'other', retryable: true, advice: () => 'the listing took too long; begin it again' }

const unexpected: Rule = { kind: 'other', retryable: false, advice: () => 'the call failed' }

const nobodyThere: Rule = {
  kind: 'other',
  retryable: false,
  advice: () => 'what answers is not Kinesis; look at the endpoint, which needs its scheme, such as https://'
}

const RULES_BY_NAME: ReadonlyMap<string, Rule> = new Map([
  ['ProvisionedThroughputExceededException', throttled],
  ['LimitExceededException', throttled],
  ['ThrottlingException', throttled],
  ['Throttling', throttled],
  ['TooManyRequestsException', throttled],
  ['RequestLimitExceeded', throttled],
  ['KMSThrottlingException', throttled],
  ['ResourceNotFoundException', notFound],
  ['ExpiredIteratorException', expiredIterator],
  ['ExpiredNextTokenException', listAgain],
  ['InvalidArgumentException', invalid],
  ['ValidationException', invalid],
  ['ResourceInUseException', inUse],
  ['AccessDeniedException', denied],
  ['AccessDenied', denied],
  ['NotAuthorized', denied],
  ['OptInRequired', denied],
  ['KMSAccessDeniedException', noKey],
  ['KMSDisabledException', noKey],
  ['UnrecognizedClientException', noCredentials],
  ['InvalidClientTokenId', noCredentials],
  ['IncompleteSignature', noCredentials],
  ['MissingAuthenticationTokenException', noCredentials],
  ['CredentialsProviderError', noCredentials],
  ['TokenProviderError', noCredentials],
  ['InvalidSignatureException', staleSignature],
  ['SignatureDoesNotMatch', staleSignature],
  ['ExpiredTokenException', staleSignature],
  ['ExpiredToken', staleSignature],
  ['RequestExpired', staleSignature],
  ['RequestTimeTooSkewed', staleSignature],
  ['TimeoutError', timeout],
  ['RequestTimeout', timeout],
  ['RequestTimeoutException', timeout],
  ['SyntaxError', garbled]
])

const NETWORK_CODES: ReadonlySet<string> = new Set([
  ...['ECONNRESET', 'ECONNREFUSED', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'EHOSTDOWN', 'ENOTCONN'],
  ...['ENETUNREACH', 'ENETDOWN', 'ENETRESET', 'EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EMFILE', 'ENFILE', 'ENOBUFS'],
  ...['ECANCELED', 'EPROTO', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED', 'ERR_SOCKET_CLOSED']
])

/** What the codes begin with of what is wrong with HTTP/1.1, with HTTP/2 and with TLS. */
const NETWORK_PREFIXES: readonly string[] = ['HPE_', 'ERR_HTTP2_', 'ERR_SSL_']

/** A connection that was closed while it was not in use, as a request on it shows. The SDK calls it a timeout. */
const CLOSED_CODES: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE'])

/** What Node.js says of certificates. */
const CERTIFICATE_CODES: ReadonlySet<string> = new Set([
  ...['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', 'CERT_REJECTED', 'CERT_REVOKED', 'CERT_SIGNATURE_FAILURE'],
  ...['CERT_UNTRUSTED', 'CERT_CHAIN_TOO_LONG', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN'],
  ...['UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ...['ERR_TLS_CERT_ALTNAME_INVALID', 'HOSTNAME_MISMATCH', 'INVALID_CA', 'INVALID_PURPOSE', 'PATH_LENGTH_EXCEEDED']
])

/** What the SDK takes for a sign that a request was not signed at the right time. */
const CLOCK_FAULTS: ReadonlySet<string> = new Set([
  'AuthFailure',
  'InvalidSignatureException',
  'RequestExpired',
  'RequestInTheFuture',
  'RequestTimeTooSkewed',
  'SignatureDoesNotMatch'
])

/** What is said where CBOR is not understood: by a service that reads it as JSON, and by what is no service of AWS. */
const ENCODING_FAULTS: ReadonlySet<string> = new Set([
  'SerializationException',
  'UnknownOperationException',
  'UnknownError'
])

/** The status where CBOR is not understood. Others are about the request, or of a proxy. */
const ENCODING_STATUSES: ReadonlySet<number | undefined> = new Set([400, 404, 406, 415])

/** Whether a request was refused for the time at which it was signed, and the SDK has set its clock right since. */
export function isClockFault(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const { $metadata } = error as { $metadata?: { clockSkewCorrected?: unknown } }
  return $metadata?.clockSkewCorrected === true && CLOCK_FAULTS.has(error.name)
}

/** Whether a request may have been refused because of how it was encoded. */
export function isEncodingFault(error: unknown): error is Error {
  return error instanceof Error && ENCODING_STATUSES.has(httpStatusOf(error)) && ENCODING_FAULTS.has(error.name)
}

/**
 * Whether the same request, encoded in another way, was `refused` for a reason that the service names, and which is not why
 * it was refused `before`: then it was understood this time.
 */
export function isUnderstood(refused: unknown, before: Error): boolean {
  if (!(refused instanceof Error) || httpStatusOf(refused) === undefined) return false
  return refused.name !== 'UnknownError' && refused.name !== before.name
}

/** Whether a connection failed because of a certificate, and so what to say of it; it does not pass by itself. */
export function certificateFault(error: unknown): ServiceError | undefined {
  if (!(error instanceof Error) || !CERTIFICATE_CODES.has(codeOf(error))) return undefined
  const message = `${UNTRUSTED}${saidBy(error)}`
  return new ServiceError('other', message, { retryable: false, cause: error })
}

/** The error to throw for what the SDK threw in `call`. What is a ServiceError already is told in which call it happened. */
export function kinesisErrorOf(error: unknown, call: FailedCall): ThrottledError | ServiceError {
  if (error instanceof ServiceError) {
    const { kind, retryable, cause } = error
    const options = { retryable, ...(cause !== undefined && { cause }) }
    return new ServiceError(kind, `${callText(call)}: ${error.message}`, options)
  }
  const rule = ruleFor(error)
  const said = rule === garbled ? '' : saidBy(error)
  const message = `${callText(call)}: ${rule.advice(call)}${said}`
  // What JSON.parse complains about quotes the answer, which is made of payloads.
  const cause = rule === garbled ? {} : { cause: error }
  if (rule.kind === 'throttled') return new ThrottledError(message, cause)
  return new ServiceError(rule.kind, message, { retryable: rule.retryable, ...cause })
}

/** The error to throw when `call` has had no answer for `ms` milliseconds. */
export function kinesisTimeout(call: FailedCall, ms: number): ServiceError {
  return new ServiceError('timeout', `${callText(call)}: there was no answer within ${ms} ms`, { retryable: true })
}

function saidBy(error: unknown): string {
  if (!(error instanceof Error)) return ''
  return error.message === '' ? ` (${error.name})` : ` (${error.name}: ${error.message})`
}

function ruleFor(error: unknown): Rule {
  if (!(error instanceof Error)) return unexpected
  const code = codeOf(error)
  if (CLOSED_CODES.has(code)) return unreachable
  const byName = RULES_BY_NAME.get(error.name)
  if (byName !== undefined) return byName
  const status = httpStatusOf(error)
  if (status === 429) return throttled
  if (status === 408) return timeout
  if (status === 401 || status === 403) return denied
  if (status !== undefined && status >= 500) return serverFault
  if (status === 404) return nobodyThere
  if (CERTIFICATE_CODES.has(code)) return untrusted
  if (NETWORK_CODES.has(code) || NETWORK_PREFIXES.some(prefix => code.startsWith(prefix))) return unreachable
  if (error.message.includes('Region is missing')) return noRegion
  if (error.message.includes('credential object is not valid')) return noCredentials
  return unexpected
}

/** What Node.js calls what happened to a connection. Empty: nothing. */
function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** The status of the answer, where there was one. The SDK types none of this on the errors it has no class for. */
function httpStatusOf(error: Error): number | undefined {
  const { $metadata } = error as { $metadata?: { httpStatusCode?: unknown } }
  return typeof $metadata?.httpStatusCode === 'number' ? $metadata.httpStatusCode : undefined
}
