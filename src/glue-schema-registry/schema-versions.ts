// Versions of schemas, looked up in the registry and kept: what is asked for at the same time is asked once, and what the registry
// does not know is not asked for again for a while.
import type { GlueClient, GlueClientConfig } from '@aws-sdk/client-glue'
import { CALL_RETRIES, type CallPorts, callService } from '../dead-letters/service-call.ts'
import { ServiceError } from '../model/errors.ts'
import { peerPackage } from '../model/peer-package.ts'
import { retry } from '../runtime/retry.ts'
import { isNotThere, registryError } from './glue-errors.ts'
import load, { type Package } from './glue-package.cts'
import { type PayloadDecoder, PayloadError } from './payload-decoder.ts'

const glue = peerPackage<Package>('millrace/glue-schema-registry', '@aws-sdk/client-glue', load)

/** Where versions are looked up, how many are kept, and what is made of them. */
export interface SchemaVersionsOptions {
  readonly client: GlueClient | GlueClientConfig | undefined
  /** How long one call may take. Milliseconds. */
  readonly requestTimeoutMs: number
  /** How many are kept; those that were used longest ago go first. */
  readonly maxSchemas: number
  /** For how long one that is not there, or cannot be used, is not asked for again. Milliseconds. */
  readonly unknownForMs: number
  /** Makes what decodes payloads. @throws PayloadError if the schema is of no use */
  readonly decoderOf: (format: string, definition: string) => PayloadDecoder
}

type Known =
  | { readonly kind: 'usable'; readonly decode: PayloadDecoder }
  | { readonly kind: 'unusable'; readonly error: PayloadError; readonly untilMs: number }
  | { readonly kind: 'asked'; readonly answer: Promise<PayloadDecoder> }

/** The versions of schemas that one decoder has met. */
export class SchemaVersions {
  readonly #options: SchemaVersionsOptions
  readonly #ports: CallPorts
  readonly #client: GlueClient
  readonly #isOurs: boolean
  /** By id; those used last come last. */
  readonly #known = new Map<string, Known>()
  readonly #closing = new AbortController()

  constructor(options: SchemaVersionsOptions, ports: CallPorts) {
    const { client } = options
    this.#options = options
    this.#ports = ports
    this.#isOurs = !isClient(client)
    this.#client = isClient(client) ? client : new glue.GlueClient({ maxAttempts: 1, ...client })
  }

  /**
   * What decodes payloads of a version: at once if it is known. Throws, or rejects with, a PayloadError if there is no such version,
   * or its schema is of no use; with a ThrottledError, ServiceError or OptionError if that could not be found out.
   */
  decoderFor(id: string): PayloadDecoder | Promise<PayloadDecoder> {
    const known = this.#known.get(id)
    if (known?.kind === 'usable') {
      this.#keep(id, known)
      return known.decode
    }
    if (known?.kind === 'asked') return known.answer
    if (known?.kind === 'unusable' && known.untilMs > this.#ports.clock.monotonicMs()) throw known.error
    const answer = this.#ask(id)
    this.#keep(id, { kind: 'asked', answer })
    return answer
  }

  /** Asks nothing any more, and lets connections go, if the client is ours. */
  close(): void {
    this.#closing.abort(new ServiceError('other', 'The decoder was closed', { retryable: false }))
    if (this.#isOurs) this.#client.destroy()
  }

  async #ask(id: string): Promise<PayloadDecoder> {
    try {
      const { format, definition } = await this.#find(id)
      const decode = this.#options.decoderOf(format, definition)
      this.#keep(id, { kind: 'usable', decode })
      return decode
    } catch (error) {
      if (error instanceof PayloadError) {
        const untilMs = this.#ports.clock.monotonicMs() + this.#options.unknownForMs
        this.#keep(id, { kind: 'unusable', error, untilMs })
      } else this.#known.delete(id)
      throw error
    }
  }

  async #find(id: string): Promise<{ readonly format: string; readonly definition: string }> {
    const { clock } = this.#ports
    const signal = this.#closing.signal
    const about = `GetSchemaVersion of ${id}`
    const call = { about, clock, timeoutMs: this.#options.requestTimeoutMs, signal }
    const command = new glue.GetSchemaVersionCommand({ SchemaVersionId: id })
    try {
      const found = await retry(() => callService(call, sending => this.#client.send(command, sending)), CALL_RETRIES, {
        ...this.#ports,
        signal
      })
      const { DataFormat: format = '', SchemaDefinition: definition } = found
      if (definition !== undefined) return { format, definition }
    } catch (error) {
      if (!isNotThere(error)) throw registryError(error, about)
    }
    throw new PayloadError('unknown-schema', `the registry has no version ${id} of a schema`)
  }

  #keep(id: string, known: Known): void {
    this.#known.delete(id)
    this.#known.set(id, known)
    if (this.#known.size <= this.#options.maxSchemas) return
    const [oldest] = this.#known.keys()
    if (oldest !== undefined) this.#known.delete(oldest)
  }
}

function isClient(given: GlueClient | GlueClientConfig | undefined): given is GlueClient {
  return given !== undefined && 'send' in given && typeof given.send === 'function'
}
