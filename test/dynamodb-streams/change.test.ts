import { expect } from 'chai'
import { type Change, changeOf } from '../../src/dynamodb-streams/change.ts'
import { ConsumedRecord } from '../../src/model/record.ts'

interface Order {
  readonly id: string
  readonly total: number
}

function recordOf(payload: unknown): ConsumedRecord {
  const data = new TextEncoder().encode(typeof payload === 'string' ? payload : JSON.stringify(payload))
  return new ConsumedRecord({ sequenceNumber: '111', subSequenceNumber: 0, partitionKey: 'k', data, aggregated: false })
}

const MODIFY = {
  eventID: 'e1',
  eventName: 'MODIFY',
  dynamodb: {
    ApproximateCreationDateTime: 1_700_000_000,
    Keys: { id: { S: 'o1' } },
    NewImage: { id: { S: 'o1' }, total: { N: '12345678901234567890' }, tags: { SS: ['a'] } },
    OldImage: { id: { S: 'o1' }, total: { N: '1' } },
    SequenceNumber: '111',
    SizeBytes: 59,
    StreamViewType: 'NEW_AND_OLD_IMAGES'
  }
}

describe('changeOf', () => {
  it('tells what happened to which item, with both images in plain JavaScript', () => {
    const change = changeOf<Order>(recordOf(MODIFY))
    expect({ ...change }).to.deep.equal({
      eventId: 'e1',
      eventName: 'MODIFY',
      keys: { id: 'o1' },
      newImage: { id: 'o1', total: 12345678901234567890n, tags: new Set(['a']) },
      oldImage: { id: 'o1', total: 1 },
      createdAt: new Date(1_700_000_000_000),
      sequenceNumber: '111',
      sizeBytes: 59,
      viewType: 'NEW_AND_OLD_IMAGES',
      isExpiry: false
    })
    expect(change.raw).to.deep.equal(MODIFY)
  })

  it('makes an image once', () => {
    const change = changeOf<Order>(recordOf(MODIFY))
    expect(change.newImage).to.equal(change.newImage)
    expect(change.oldImage).not.to.equal(undefined)
  })

  it('knows its kind, so that the compiler knows which images there can be', () => {
    const total = (change: Change<Order>): number | undefined => {
      switch (change.eventName) {
        case 'INSERT':
          return change.newImage?.total
        case 'MODIFY':
          return (change.newImage?.total ?? 0) - (change.oldImage?.total ?? 0)
        case 'REMOVE': {
          const none: undefined = change.newImage
          return none ?? change.oldImage?.total
        }
      }
    }
    const NewImage = { id: { S: 'o1' }, total: { N: '5' } }
    const insert = { ...MODIFY, eventName: 'INSERT', dynamodb: { Keys: { id: { S: 'o1' } }, NewImage } }
    expect(total(changeOf(recordOf(insert)))).to.equal(5)
  })

  it('knows that an item was deleted because its time to live was over', () => {
    const remove = { ...MODIFY, eventName: 'REMOVE', dynamodb: { Keys: { id: { S: 'o1' } } } }
    const userIdentity = { PrincipalId: 'dynamodb.amazonaws.com', Type: 'Service' }
    expect(changeOf(recordOf(remove)).isExpiry).to.equal(false)
    const expiry = changeOf(recordOf({ ...remove, userIdentity }))
    expect(expiry).to.deep.include({
      isExpiry: true,
      userIdentity: { principalId: 'dynamodb.amazonaws.com', type: 'Service' }
    })
    expect(expiry).not.to.have.any.keys('newImage', 'oldImage')
  })

  it('gives numbers in the form that is wanted', () => {
    const change = changeOf(recordOf(MODIFY), { numbers: 'string' })
    expect(change.newImage?.total).to.equal('12345678901234567890')
    expect(() => changeOf(recordOf(MODIFY), { numbers: 'float' as never })).to.throw('Option numbers: is "float"')
    expect(() => changeOf(recordOf(MODIFY), { number: 'string' } as never)).to.throw('Option number: is not known')
  })

  it('refuses a record of anything else, and quotes nothing of it', () => {
    for (const payload of [
      'secret',
      '"secret"',
      'null',
      { eventName: 'secret' },
      { eventName: 'INSERT', dynamodb: 1 }
    ]) {
      expect(() => changeOf(recordOf(payload)))
        .to.throw(TypeError, 'The payload of record 111 is not one of a DynamoDB stream')
        .and.to.have.property('message')
        .that.does.not.include('secret')
    }
  })
})
