// How a server of ours comes to listen, where it is then, and how it ends.
import type { Server } from 'node:http'
import { BugError, messageOf, ServiceError } from '../model/errors.ts'

/**
 * Resolves when the server listens.
 *
 * @param what it is, as a sentence begins, such as `The dashboard`
 * @throws ServiceError `in-use` if somebody else listens there, `other` if it is not possible to listen there
 */
export function listen(what: string, server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const isInUse = cause.code === 'EADDRINUSE'
      const why = isInUse ? 'somebody else listens there already' : messageOf(cause)
      const message = `${what} could not listen on ${host}, port ${port}: ${why}`
      reject(new ServiceError(isInUse ? 'in-use' : 'other', message, { retryable: isInUse, cause }))
    })
    server.listen(port, host, resolve)
  })
}

/** Where a server listens, such as `http://127.0.0.1:8080`. */
export function urlOf(server: Server): string {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new BugError('A server without a port')
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return `http://${host}:${address.port}`
}

/** Connections without a request end at once; a request under way is bounded in time in any case. */
export function closeServer(server: Server): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve())
    server.closeIdleConnections()
  })
}
