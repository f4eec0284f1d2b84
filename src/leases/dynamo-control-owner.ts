// Whose control items these are: those of one lease table. Two lease tables of the same name, in other regions or accounts, must not
// meet in one control table, as they would in one that is replicated: each fleet would take the other's sessions for its own.
import { AttributeReader, TEXT } from '../dynamo/dynamo-attribute.ts'
import { Expression } from '../dynamo/dynamo-expression.ts'
import { TableMismatchError } from '../model/errors.ts'
import type { ItemPut, StoredItem } from './dynamo-control-item.ts'
import type { Partition } from './dynamo-partition.ts'

/** The sort key of the item that says so. */
export const OWNER_KEY = 'I'

/** Which control items, in words, and the lease table that they are to be of. */
export interface ControlOwner {
  readonly tableName: string
  readonly applicationName: string
  /** ARN of the lease table. */
  readonly leaseTable: string
}

/**
 * Makes the items under one partition key those of a lease table, if they are nobody's yet.
 *
 * @throws TableMismatchError if they are those of another one
 */
export async function ownControlItems(
  partition: Partition,
  { tableName, applicationName, leaseTable }: ControlOwner,
  signal?: AbortSignal
): Promise<void> {
  const found = await partition.read(OWNER_KEY, { consistent: true, signal })
  const owner = found === undefined ? await writeOwner(partition, leaseTable) : ownerIn(found)
  if (owner === undefined || owner === leaseTable) return
  throw new TableMismatchError(
    `The items of ${applicationName} in control table ${tableName} are those of ${owner}, not of ${leaseTable}. ` +
      'Give this application another leases.controlTableName. If its tables have moved, and no worker of the other one is left: ' +
      `delete the item with pk ${applicationName} and sk ${OWNER_KEY}`
  )
}

/** Says whose they are now. */
async function writeOwner(partition: Partition, leaseTable: string): Promise<string | undefined> {
  const expression = new Expression()
  const put: ItemPut = {
    sk: OWNER_KEY,
    attributes: { leases: leaseTable },
    condition: expression.condition(expression.absent('sk'))
  }
  const outcome = await partition.put(put)
  if (outcome.kind === 'written') return leaseTable
  // Another worker was faster, or this is our own write, whose answer was lost.
  const current = await outcome.current()
  return current && ownerIn(current)
}

/** `undefined`: it says nothing that can be read. */
function ownerIn(item: StoredItem): string | undefined {
  return new AttributeReader(item).read('leases', TEXT)
}
