// A handler in a module of its own, for tests: as simple as it gets.
export function handler(records, { shardId }) {
  if (records.length === 0) throw new Error(`nothing in ${shardId}`)
}
