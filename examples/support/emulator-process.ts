// A child process with both emulators in it, so that their work does not hold up the parent's. Sends the endpoints.
import { dieWithParent } from './die-with-parent.ts'
import { startDynalite, startKinesalite } from './emulators.ts'

/** The message that this process sends once both emulators answer. */
export interface Endpoints {
  readonly kinesis: string
  readonly dynamodb: string
}

dieWithParent()
const [kinesis, dynamodb] = await Promise.all([startKinesalite(), startDynalite()])
process.send?.({ kinesis: kinesis.endpoint, dynamodb: dynamodb.endpoint } satisfies Endpoints)
