// Text for terminals: of an exact width, and with nothing in it that a terminal would take for a command.

/**
 * A text in which control characters are spelled out, so that what comes out of a stream can neither break the line nor steer the
 * terminal. Tabs are kept.
 */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about
  return text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, escaped)
}

function escaped(character: string): string {
  if (character === '\n') return '\\n'
  if (character === '\r') return '\\r'
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** The text in `width` columns: filled up with spaces, or cut with an ellipsis. */
export function cell(text: string, width: number, side: 'left' | 'right' = 'left'): string {
  const fitting = text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text
  return side === 'left' ? fitting.padEnd(width) : fitting.padStart(width)
}

/** 12345 as `12,345`. */
export function count(number: number): string {
  return Math.round(number).toLocaleString('en-US')
}

/** One thing, or several: `1 record`, `12 records`. */
export function plural(number: number, thing: string): string {
  return `${count(number)} ${thing}${number === 1 ? '' : 's'}`
}

/** A duration in the unit that fits: `850 ms`, `12.5 s`, `3 m 20 s`, `5 h 12 m`, `2 d 3 h`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 60) return `${minutes} m ${Math.floor((ms % 60_000) / 1_000)} s`
  const hours = Math.floor(minutes / 60)
  return hours < 24 ? `${hours} h ${minutes % 60} m` : `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** The end of the id of a shard, which tells it from the others: `shardId-000000000012` as `12`. Other ids as they are. */
export function shortShard(shardId: string): string {
  const [, digits] = /^shardId-0*(\d+)$/.exec(shardId) ?? []
  return digits ?? shardId
}

/** A shard, and the stream that it is of. */
export interface ShardOfStream {
  readonly shardId: string
  readonly streamName: string
}

/** What tells a shard from those of other streams. */
export function tallyKey({ shardId, streamName }: ShardOfStream): string {
  return `${streamName}/${shardId}`
}
