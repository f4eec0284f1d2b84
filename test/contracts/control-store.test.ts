// Runs the contract of the control store on every store there is.
import { dynamoControlStore } from '../../src/leases/dynamo-control-store.ts'
import { memoryControlStore } from '../../src/leases/memory-control-store.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import { type EmulatorClientConfig, sharedDynalite } from '../support/emulators.ts'
import { uniqueName } from '../support/streams.ts'
import { describeControlStore } from './control-store.contract.ts'

describeControlStore('memoryControlStore, as a control store', {
  open: () => {
    const store = memoryControlStore()
    return { store, sameItems: store, otherApplication: memoryControlStore() }
  }
})

describeOnDynalite('dynamoControlStore, as a control store on dynalite', {})

describeOnDynalite('dynamoControlStore, as a control store on dynalite that splits every mailbox', {
  maxMailboxBytes: 50,
  manyLeases: 40
})

function describeOnDynalite(name: string, options: { maxMailboxBytes?: number; manyLeases?: number }): void {
  const { manyLeases, ...limits } = options
  const tableName = uniqueName('control')
  const closing: (() => void)[] = []
  let client: EmulatorClientConfig
  const open = (applicationName: string) => {
    const ports = { client, clock: systemClock, logger: silentLogger }
    const store = dynamoControlStore({ tableName, applicationName, ...ports, ...limits, requestTimeoutMs: 20_000 })
    closing.push(() => store.close())
    return store
  }
  describeControlStore(name, {
    ...(manyLeases !== undefined && { manyLeases }),
    async prepare() {
      client = (await sharedDynalite()).clientConfig()
      const [first, second] = [open('first'), open('second')]
      await Promise.all([first.prepare(), second.prepare()])
      await first.prepare()
    },
    open() {
      const applicationName = uniqueName('application')
      return {
        store: open(applicationName),
        sameItems: open(applicationName),
        otherApplication: open(`${applicationName}-2`)
      }
    },
    close() {
      for (const close of closing) close()
    }
  })
}
