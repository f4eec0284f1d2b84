// The heartbeat's thread from its source, which fails a second after it was started.
import './heartbeat-thread.mjs'

setTimeout(() => {
  throw new Error('something that nobody expected')
}, 1_000)
