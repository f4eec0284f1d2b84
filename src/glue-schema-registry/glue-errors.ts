// What the registry of schemas refuses, in our words. It says most of it with the same status, so that only names tell it apart.
import { messageOf, ServiceError } from '../model/errors.ts'

const DENIED = [
  ...['AccessDeniedException', 'UnrecognizedClientException', 'InvalidSignatureException', 'ExpiredTokenException'],
  ...['MissingAuthenticationTokenException', 'CredentialsProviderError']
]
const NOT_THERE = ['EntityNotFoundException', 'InvalidInputException']

/** Whether a call has failed because there is no such version. */
export function isNotThere(error: unknown): boolean {
  return NOT_THERE.includes(nameBehind(error))
}

/** What a call has failed with; where it lacks a permission, with which one. `about`: the call, in words. */
export function registryError(error: unknown, about: string): unknown {
  if (!DENIED.includes(nameBehind(error))) return error
  const { cause } = error as Error
  const problem = `${about} was refused: expected credentials that allow glue:GetSchemaVersion (${messageOf(cause)})`
  return new ServiceError('access-denied', problem, { retryable: false, cause })
}

/** The name of the error of the SDK. */
function nameBehind(error: unknown): string {
  const { cause } = Object(error) as { readonly cause?: unknown }
  return cause instanceof Error ? cause.name : ''
}
