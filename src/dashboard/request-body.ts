// The body of a request, as far as anybody wants to read it. How long it may take is bounded by the server.
import type { IncomingMessage } from 'node:http'
import { judgeBodyHead } from './request-rules.ts'

/** A body, or why it is none. */
export type Body =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'refuse'; readonly status: number; readonly because: string }

/** Reads a body of JSON, if it is announced as that and not too long. Rejects if the line breaks. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Body> {
  const refusal = judgeBodyHead(request.rawHeaders, maxBytes)
  if (refusal !== undefined) return { kind: 'refuse', ...refusal }
  const chunks: Buffer[] = []
  // No more than was announced: Node reads no further.
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return { kind: 'text', text: Buffer.concat(chunks).toString('utf8') }
}
