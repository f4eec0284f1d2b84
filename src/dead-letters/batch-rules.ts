// How many letters go to a service at once.

/** What one call takes. */
export interface BatchLimits {
  /** Entries; at least 1. */
  readonly maxCount: number
  /** Bytes of all entries together. An entry that is larger goes alone. */
  readonly maxBytes: number
}

/** The entries in order, in as few batches as their order and the limits allow. */
export function batchesOf<T extends { readonly bytes: number }>(entries: readonly T[], limits: BatchLimits): T[][] {
  const batches: T[][] = []
  let batch: T[] = []
  let bytes = 0
  for (const entry of entries) {
    if (batch.length > 0 && (batch.length === limits.maxCount || bytes + entry.bytes > limits.maxBytes)) {
      batches.push(batch)
      batch = []
      bytes = 0
    }
    batch.push(entry)
    bytes += entry.bytes
  }
  return batch.length > 0 ? [...batches, batch] : batches
}
