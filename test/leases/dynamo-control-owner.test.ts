import { expect } from 'chai'
import { ownControlItems } from '../../src/leases/dynamo-control-owner.ts'
import type { ItemOutcome, Partition } from '../../src/leases/dynamo-partition.ts'

const OURS = 'arn:aws:dynamodb:us-east-1:000000000000:table/app'
const THEIRS = 'arn:aws:dynamodb:eu-west-1:000000000000:table/app'

/** A partition with this item in it, which somebody else may write between a read and a write. */
function aPartition(found: string | undefined, meanwhile?: string) {
  const written: unknown[] = []
  const item = (leases: string | undefined) => leases && { pk: 'app', sk: 'I', leases }
  const partition = {
    read: async () => item(found),
    put: async (put: unknown): Promise<ItemOutcome> => {
      written.push(put)
      return meanwhile === undefined
        ? { kind: 'written' }
        : { kind: 'refused', current: async () => item(meanwhile) || undefined }
    }
  } as unknown as Partition
  const own = (leaseTable: string) =>
    ownControlItems(partition, { tableName: 'control', applicationName: 'app', leaseTable })
  return { own, written }
}

describe('ownControlItems', () => {
  it('writes whose they are if nobody has, and only then', async () => {
    const fresh = aPartition(undefined)
    await fresh.own(OURS)
    expect(fresh.written).to.deep.equal([
      {
        ...{ sk: 'I', attributes: { leases: OURS } },
        condition: { ConditionExpression: 'attribute_not_exists(#sk)', ExpressionAttributeNames: { '#sk': 'sk' } }
      }
    ])
    const known = aPartition(OURS)
    await known.own(OURS)
    expect(known.written).to.deep.equal([])
  })

  it('goes on where another worker of the same table was faster', () => aPartition(undefined, OURS).own(OURS))

  for (const [what, partition] of [
    ['are those of another table', aPartition(THEIRS)],
    ['became those of another table meanwhile', aPartition(undefined, THEIRS)]
  ] as const) {
    it(`refuses items that ${what}, and says what to do`, async () => {
      const error = await partition.own(OURS).catch(caught => caught)
      expect(error).to.include({ code: 'TABLE_MISMATCH' })
      expect(error.message).to.include(THEIRS).and.include(OURS).and.include('leases.controlTableName')
    })
  }
})
