// A copy that cannot be changed, for the stores in memory: nobody may change what is stored through what was read.

/** A deep, frozen copy without the properties that are `undefined`. Bytes are copied, but cannot be frozen. */
export function frozenCopy<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return new Uint8Array(value) as T
  if (Array.isArray(value)) return Object.freeze(value.map(frozenCopy)) as T
  const present = Object.entries(value).filter(([, property]) => property !== undefined)
  return Object.freeze(Object.fromEntries(present.map(([key, property]) => [key, frozenCopy(property)]))) as T
}
