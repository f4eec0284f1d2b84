// kinesis-local in a process of its own, which ends when its parent does, however that ended. Plain JavaScript, without
// the loader that the tests run with: it would look at nine megabytes of compiled code. Configured by the environment.
import { createRequire } from 'node:module'

process.on('SIGINT', () => {})
process.once('disconnect', () => process.exit())
if (!process.connected) process.exit()

createRequire(import.meta.url)('kinesis-local')
