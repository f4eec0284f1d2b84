// For processes started with child_process.fork: they end when their parent does, however it ended.

/** Ends this process as soon as its parent is gone. A Ctrl-C, which the terminal sends to both, is left to the parent. */
export function dieWithParent(): void {
  process.on('SIGINT', () => {})
  process.once('disconnect', () => process.exit())
  // The parent may have died before anybody could listen.
  if (!process.connected) process.exit()
}
