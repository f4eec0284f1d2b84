// What the program ends with. Part of its interface: scripts depend on it.

/** Exit codes of every command. */
export const EXIT = {
  /** Done. */
  ok: 0,
  /** Something failed. */
  failed: 1,
  /** The command line is wrong; nothing was done. */
  usage: 2,
  /** What was looked at, or run, is not as it should be. */
  red: 3,
  /** Ctrl-C before it was done, or for the second time. */
  interrupted: 130,
  /** SIGTERM before it was done, or for the second time. */
  terminated: 143
} as const
