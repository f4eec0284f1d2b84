// Packages that only some commands need, and that are therefore not installed with this one.
import { messageOf, ServiceError } from '../model/errors.ts'

/**
 * Loads what needs a package.
 *
 * @throws ServiceError `not-found` that says how to install it, if it is not there
 */
export async function loadPeer<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    const { code } = Object(cause) as { readonly code?: string }
    const isMissing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
    const message = isMissing
      ? `${name} is missing here: npm install ${name}`
      : `${name} cannot be loaded: ${messageOf(cause)}`
    throw new ServiceError(isMissing ? 'not-found' : 'other', message, { retryable: false, cause })
  }
}
