// Rejections that nobody handles, which would end a process.

/** Those that `work` leaves behind, instead of letting them end the test run. */
export async function unhandledRejectionsOf(work: () => void): Promise<unknown[]> {
  const rejections: unknown[] = []
  const note = (reason: unknown): void => void rejections.push(reason)
  process.on('unhandledRejection', note)
  try {
    work()
    await new Promise(resolve => setImmediate(resolve))
  } finally {
    process.off('unhandledRejection', note)
  }
  return rejections
}
