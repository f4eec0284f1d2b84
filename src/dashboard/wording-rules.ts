// Words and numbers for people, on the page and in what the server tells of.

/** 12345 as `12,345`. */
export function count(number: number): string {
  return Math.round(number).toLocaleString('en-US')
}

/** One thing, or several: `1 shard`, `12 shards`. */
export function plural(number: number, thing: string): string {
  return `${count(number)} ${thing}${number === 1 ? '' : 's'}`
}

/** A duration in the unit that fits, short: `850 ms`, `12.5 s`, `3 m 20 s`, `5 h 12 m`, `2 d 3 h`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`
  const seconds = Math.round(ms / 1_000)
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} m ${seconds % 60} s`
  const hours = Math.floor(minutes / 60)
  return hours < 24 ? `${hours} h ${minutes % 60} m` : `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** The end of the id of a shard, which tells it from the others: `shardId-000000000012` as `12`. Other ids as they are. */
export function shortShard(id: string): string {
  const [, digits] = /^shardId-0*(\d+)$/.exec(id) ?? []
  return digits ?? id
}

/** Shards by their short names, a few of many: `shards 1, 2, 3 and 9 more`. */
export function namedShards(ids: readonly string[]): string {
  const some = ids.slice(0, 5).map(shortShard)
  const more = ids.length - some.length
  const names =
    more > 0 ? `${some.join(', ')} and ${count(more)} more` : some.join(', ').replace(/, ([^,]*)$/, ' and $1')
  return `${ids.length === 1 ? 'shard' : 'shards'} ${names}`
}

/** A long number or id, of which the middle is left out. */
export function shortened(text: string, length: number): string {
  if (text.length <= length) return text
  const tail = Math.floor((length - 1) / 2)
  return `${text.slice(0, length - 1 - tail)}…${text.slice(-tail)}`
}

/** A text on one line, with nothing in it that cannot be seen or that turns the writing around. */
export function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, ' ').trim()
}

/** How a state of a shard is called on the page. */
export const STATE_WORDS: Readonly<Record<string, string>> = {
  read: 'read',
  unowned: 'no owner',
  orphaned: 'owner dead',
  waiting: 'waits for parents',
  held: 'on hold',
  foreign: 'read by another kind',
  finished: 'finished'
}

/** Whether the lag of something was measured. */
export function hasLag<T extends { readonly lagMs?: number }>(row: T): row is T & { readonly lagMs: number } {
  return row.lagMs !== undefined
}
