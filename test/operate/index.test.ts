// What `millrace/operate` exports, so that growing it is a visible change.
import { expect } from 'chai'
import * as operate from '../../src/operate/index.ts'
import { is, sourceFile } from '../support/source-files.ts'

const VALUES = ['DYNAMODB_PRICES', 'Fleet', 'OperationError', 'openFleet']

const TYPES = [
  ...['AfterRecord', 'CheckpointExport', 'CostOptions', 'CostPart', 'CostReport', 'DynamoPrices', 'ExportedLease'],
  ...['Finding', 'FindingCode', 'FindingSeverity', 'FleetOptions', 'FleetStatus', 'FleetTableOptions', 'GivenBack'],
  ...['Hold', 'LagReport', 'LeaseState', 'LeaseStatus', 'Leftovers', 'MigrationNote', 'MigrationNoteCode'],
  ...['MigrationOptions', 'MigrationPlan', 'MigrationProgress', 'MigrationReport', 'MigrationRow', 'MigrationStep'],
  ...['MigrationStepName', 'MigrationTable', 'MigrationTarget', 'ModeOrder', 'MoveOrder', 'OperationOptions'],
  ...['OperationProgress', 'OperationRefusal', 'OwnerSight', 'RangeStatus', 'ResetPosition', 'ResetReport'],
  ...['ShardLag', 'ShardReset', 'ShardSelection', 'SharedStream', 'StatusColor', 'StatusOptions', 'WorkerStatus']
]

describe('millrace/operate', () => {
  it('exports these values', () => {
    expect(Object.keys(operate).sort()).to.deep.equal(VALUES)
  })

  it('exports these types', () => {
    const names = sourceFile('operate/index.ts')
      .nodes.filter(is.isExportSpecifier)
      .map(({ name }) => name.text)
    expect(names.sort()).to.deep.equal([...VALUES, ...TYPES].sort())
  })
})
