// Server-sent events as text, in both directions: the server writes frames, the page reads them from a response that it fetched
// itself, because an EventSource cannot send a token in a header.

/** An event of a stream. */
export interface StreamEvent {
  /** Names the last one that was read, when the page asks again. */
  readonly id: string
  readonly data: string
}

/** What of a stream has been read and is no whole event yet. */
export interface StreamRest {
  readonly text: string
  readonly id: string
}

/** Nothing read yet. */
export const NOTHING_READ: StreamRest = { text: '', id: '' }

/** What is sent when there is nothing to tell, so that both sides see that the line is there. */
export const HEARTBEAT = ': still here\n\n'

/** An event as it is sent. `data` is JSON, which has no line breaks. */
export function formatEvent({ id, data }: StreamEvent): string {
  return `id: ${id}\ndata: ${data}\n\n`
}

/** The events in a piece of a stream, with what was left of the pieces before. Comments are skipped. */
export function readEvents(
  rest: StreamRest,
  piece: string
): { readonly events: StreamEvent[]; readonly rest: StreamRest } {
  const blocks = (rest.text + piece).split('\n\n')
  const text = blocks.pop() ?? ''
  let { id } = rest
  const events: StreamEvent[] = []
  for (const block of blocks) {
    const data: string[] = []
    for (const line of block.split('\n')) {
      if (line.startsWith('id:')) id = line.slice(3).trimStart()
      else if (line.startsWith('data:')) data.push(line.slice(5).replace(/^ /, ''))
    }
    if (data.length > 0) events.push({ id, data: data.join('\n') })
  }
  return { events, rest: { text, id } }
}
