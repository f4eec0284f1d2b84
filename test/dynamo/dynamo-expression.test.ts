import { expect } from 'chai'
import { Expression, present } from '../../src/dynamo/dynamo-expression.ts'

describe('Expression', () => {
  it('writes what is there, removes what is not, and names everything that it refers to', () => {
    const expression = new Expression()
    expect(expression.update({ state: 'a', gone: undefined }, { count: 2, left: undefined })).to.equal(
      'SET #state = :state, #count = :count REMOVE #gone, #left'
    )
    expect(expression.condition(expression.exists('key'))).to.deep.equal({
      ConditionExpression: 'attribute_exists(#key)',
      ExpressionAttributeNames: {
        '#state': 'state',
        '#gone': 'gone',
        '#count': 'count',
        '#left': 'left',
        '#key': 'key'
      },
      ExpressionAttributeValues: { ':state': 'a', ':count': 2 }
    })
  })

  it('has clauses only for what there is', () => {
    expect(new Expression().update({ a: 1 })).to.equal('SET #a = :a')
    expect(new Expression().update({ a: undefined })).to.equal('REMOVE #a')
    expect(new Expression().update({})).to.equal('')
  })

  it('keeps the values of conditions apart from those that are written', () => {
    const expression = new Expression()
    expression.update({ count: 9 })
    const parts = [
      expression.are({ count: 1, owner: undefined }),
      expression.isBelow('count', 2),
      expression.isAtMost('count', 3),
      expression.absent('dead')
    ]
    expect(expression.condition(...parts)).to.deep.equal({
      ConditionExpression:
        '#count = :was_count AND attribute_not_exists(#owner) AND #count < :limit_count AND #count <= :most_count' +
        ' AND attribute_not_exists(#dead)',
      ExpressionAttributeNames: { '#count': 'count', '#owner': 'owner', '#dead': 'dead' },
      ExpressionAttributeValues: { ':count': 9, ':was_count': 1, ':limit_count': 2, ':most_count': 3 }
    })
  })

  it('has no values if it refers to none', () => {
    const expression = new Expression()
    expect(expression.condition(expression.absent('key'))).to.not.have.property('ExpressionAttributeValues')
  })
})

describe('present', () => {
  it('is the attributes that are there', () => {
    expect(present({ a: 0, b: undefined, c: '' })).to.deep.equal({ a: 0, c: '' })
  })
})
