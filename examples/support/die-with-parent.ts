// For processes started with child_process.fork: they end when their parent does, however it ended.

/**
 * Ends this process as soon as its parent is gone. What the terminal tells both, a Ctrl-C or that it is closed, is left to
 * the parent.
 */
export function dieWithParent(): void {
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
  process.once('disconnect', () => process.exit())
  // The parent may have died before anybody could listen.
  if (!process.connected) process.exit()
}
