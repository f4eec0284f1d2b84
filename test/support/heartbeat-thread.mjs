// The heartbeat's thread from its source.
import './typescript-threads.mjs'

await import('../../src/fleet/heartbeat-thread.ts')
