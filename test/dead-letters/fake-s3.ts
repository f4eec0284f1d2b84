// A bucket of S3 behind HTTP, for the real client of the SDK: put, list in pages, get, delete, and faults as tests want them.
import { type ScriptedAnswer, ScriptedServer, type SeenRequest } from '../kinesis/scripted-server.ts'

/** An object in the bucket. */
export interface StoredObject {
  readonly body: Buffer
  readonly contentType: string
}

/** The bucket `letters`. */
export class FakeS3 {
  readonly server = new ScriptedServer()
  readonly objects = new Map<string, StoredObject>()
  /** As in `PUT a/b.jsonl`. */
  readonly calls: string[] = []
  /** Answers a call in place of the bucket, if it answers. */
  fault: (call: string) => ScriptedAnswer | Promise<ScriptedAnswer | undefined> | undefined = () => undefined
  /** Objects in a page of a listing. */
  pageSize = 2

  constructor() {
    this.server.answer = request => this.#answer(request)
  }

  /** What the client is configured with. */
  get client() {
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
    return { region: 'us-east-1', endpoint: this.server.endpoint, credentials, forcePathStyle: true }
  }

  async #answer({ method, path, headers, body }: SeenRequest): Promise<ScriptedAnswer> {
    const url = new URL(path, 'http://s3')
    const key = decodeURIComponent(url.pathname.replace(/^\/letters\/?/, ''))
    const call = key === '' ? `${method} list` : `${method} ${key}`
    this.calls.push(call)
    const fault = await this.fault(call)
    if (fault !== undefined) return fault
    if (key === '') return this.#list(url.searchParams)
    if (method === 'PUT') {
      this.objects.set(key, { body, contentType: String(headers['content-type']) })
      return { headers: { etag: '"e"' } }
    }
    if (method === 'DELETE') {
      this.objects.delete(key)
      return { status: 204 }
    }
    const object = this.objects.get(key)
    if (object === undefined) return s3Refusal(404, 'NoSuchKey')
    return { body: object.body, headers: { 'content-type': object.contentType } }
  }

  #list(query: URLSearchParams): ScriptedAnswer {
    const [prefix, after] = [query.get('prefix') ?? '', query.get('continuation-token') ?? '']
    const keys = [...this.objects.keys()].filter(key => key.startsWith(prefix) && key > after).sort()
    const page = keys.slice(0, this.pageSize)
    const contents = page.map(key => `<Contents><Key>${key}</Key></Contents>`)
    const isLast = page.length === keys.length
    const more = isLast ? '' : `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>`
    return xml(200, `<ListBucketResult><Name>letters</Name>${contents.join('')}${more}</ListBucketResult>`)
  }
}

/** An answer that refuses. */
export function s3Refusal(status: number, code: string): ScriptedAnswer {
  return xml(status, `<Error><Code>${code}</Code><Message>words of the service</Message></Error>`)
}

function xml(status: number, text: string): ScriptedAnswer {
  const body = `<?xml version="1.0" encoding="UTF-8"?>${text}`
  return { status, body, headers: { 'content-type': 'application/xml' } }
}
