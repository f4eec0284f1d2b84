// Millrace as a user would run it: a worker with a handler, leases in memory so that only reading is measured.
import { loadLibrary } from '../library.ts'
import { streamNameOf } from '../source/streams.ts'
import { CREDENTIALS, REGION } from './client-options.ts'
import type { Load } from './contender.ts'
import type { Meter } from './meter.ts'

/** With CBOR, room for an answer of 10 MB from each of its many shards: with less, it asks for smaller ones. */
const CBOR_ROOM_BYTES = 4 * 1_024 ** 3

/** Runs a worker whose handler touches every record. */
export async function runMillrace(load: Load, meter: Meter, wire: 'json' | 'cbor'): Promise<void> {
  const { Worker, memoryLeaseStore } = await loadLibrary(load.library)
  const worker = new Worker({
    streamName: streamNameOf(load.payload, load.shards),
    applicationName: 'bench',
    startAt: 'TRIM_HORIZON',
    kinesis: { endpoint: load.http1, region: REGION, credentials: CREDENTIALS },
    ...(wire === 'cbor' && { retrieval: { wire, maxBufferedBytes: CBOR_ROOM_BYTES } }),
    leases: { store: memoryLeaseStore() },
    handler: records => {
      let touched = 0
      for (const record of records) touched += record.partitionKey.length + record.data.length
      meter.add(records.length, touched)
    }
  })
  await worker.start()
}
