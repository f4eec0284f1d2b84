// Runs the contract of the lease store on every store there is.
import { dynamoLeaseStore } from '../../src/leases/dynamo-lease-store.ts'
import { memoryLeaseStore } from '../../src/leases/memory-lease-store.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLogger } from '../../src/runtime/logger.ts'
import { sharedDynalite } from '../support/emulators.ts'
import { uniqueName } from '../support/streams.ts'
import { describeLeaseStore } from './lease-store.contract.ts'

describeLeaseStore('memoryLeaseStore, as a lease store', async () => {
  const store = memoryLeaseStore()
  return { store, sameTable: store, close: () => {} }
})

describeLeaseStore('dynamoLeaseStore, as a lease store on dynalite', async () => {
  const dynalite = await sharedDynalite()
  const tableName = uniqueName('leases')
  const open = () =>
    dynamoLeaseStore({ tableName, client: dynalite.clientConfig(), clock: systemClock, logger: silentLogger })
  const [store, sameTable] = [open(), open()]
  return {
    store,
    sameTable,
    close: () => {
      store.close()
      sameTable.close()
    }
  }
})
