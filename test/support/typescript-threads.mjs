// A preload for worker threads that run TypeScript sources, beside --import tsx: on Node 20, tsx itself does nothing there.
import { isMainThread } from 'node:worker_threads'

if (!isMainThread) {
  const { register } = await import('tsx/esm/api')
  register()
}
