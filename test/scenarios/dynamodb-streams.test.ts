// Workers on the stream of a table: the real client of the AWS SDK, whose requests a fake of the service answers, in virtual time.
import { expect } from 'chai'
import { TableWorld } from '../support/table-world.ts'

const HOUR = 3_600_000

describe('the stream of a DynamoDB table', () => {
  let world: TableWorld
  afterEach(() => world.stopAll())

  it('is read from the oldest record on, each change once and in order', async () => {
    world = new TableWorld({ partitions: 3 })
    for (let n = 0; n < 30; n++) world.write(`item-${n % 10}`)
    await world.start()
    await world.untilSeen()
    for (let n = 0; n < 30; n++) world.write(`item-${n % 10}`)
    await world.untilSeen()
    world.expectAllOnce()
  })
})
