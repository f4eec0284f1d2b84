// Payloads that are compressed, as they were before: no larger than they may be, whatever they claim.
import { inflateSync } from 'node:zlib'
import { PayloadError } from './payload-decoder.ts'

/** A payload as it was before zlib compressed it. `maxBytes`: how large it may be. @throws PayloadError */
export function inflate(compressed: Uint8Array, maxBytes: number): Uint8Array {
  try {
    return inflateSync(compressed, { maxOutputLength: maxBytes })
  } catch (cause) {
    if (Object(cause).code === 'ERR_BUFFER_TOO_LARGE') {
      const problem = `its ${compressed.length} bytes inflate to more than maxBytes, which is ${maxBytes}`
      throw new PayloadError('too-large', problem, { cause })
    }
    throw new PayloadError('not-zlib', `its ${compressed.length} bytes are not compressed by zlib`, { cause })
  }
}
