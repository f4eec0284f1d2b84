// How every contender reaches the load source.

/** Where the source says that it is. */
export const REGION = 'us-east-1'

/** Nobody checks them, but everybody signs with them. */
export const CREDENTIALS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
}

/** Shards that the loops without limits read: a few, each read again as soon as it has been read. */
export const LOOP_SHARDS = 16

/** How many loops run side by side, so that the core never waits for an answer. */
export const LOOPS = 4
