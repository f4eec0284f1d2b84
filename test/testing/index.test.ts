// What `millrace/testing` exports, so that growing it is a visible change.
import { expect } from 'chai'
import * as kit from '../../src/testing/index.ts'
import { is, sourceFile } from '../support/source-files.ts'

const VALUES = [
  'FAULT_PROFILES',
  'FakeKinesis',
  'FakeTable',
  'SimulationError',
  'VirtualClock',
  'coordinationUsd',
  'describeViolation',
  'simulate'
]

const TYPES = [
  'CallMatch',
  'Conduct',
  'DeliveryCall',
  'DeliveryCounts',
  'DriftingClock',
  'FakeCall',
  'FakeChange',
  'FakeClientConfig',
  'FakeFanOutPort',
  'FakeKinesisOptions',
  'FakeRecord',
  'FakeTableOptions',
  'FakeTableShard',
  'FakeTableStream',
  'FanOutConsumer',
  'FanOutConsumerReference',
  'FanOutPort',
  'Fault',
  'FaultPlan',
  'FaultProfile',
  'FaultProfileName',
  'HeardEvent',
  'Intercept',
  'Journal',
  'JournalOptions',
  'LeaseWrite',
  'LeaseWriteKind',
  'LetterConduct',
  'OperatorTraits',
  'Partition',
  'Processing',
  'PutResult',
  'Quantiles',
  'RequestKind',
  'ScriptOptions',
  'ScriptedFault',
  'ServiceCall',
  'ServiceName',
  'ServiceProfile',
  'SimulateOptions',
  'SimulatedApplication',
  'SimulatedOperator',
  'SimulatedTables',
  'SimulatedWorker',
  'StreamObserver',
  'StreamsFault',
  'StreamsInput',
  'StreamsOperation',
  'SubscribeInput',
  'SubscriptionEvent',
  'TablePair',
  'TableRole',
  'UnitPrices',
  'Usage',
  'UsageCategory',
  'UsageReport',
  'Violation',
  'ViolationKind',
  'VirtualClockOptions',
  'WorkerTraits',
  'World'
]

describe('the testing kit', () => {
  it('has these values and no more', () => {
    expect(Object.keys(kit).sort()).to.deep.equal([...VALUES].sort())
  })

  it('has these types and no more', () => {
    const names = sourceFile('testing/index.ts').imports.flatMap(({ localNames }) => localNames)
    expect(names.filter(name => !VALUES.includes(name)).sort()).to.deep.equal([...TYPES].sort())
  })

  it('is re-exports by name, and nothing else', () => {
    const { imports, root } = sourceFile('testing/index.ts')
    const others = root.statements.filter(statement => !is.isExportDeclaration(statement))
    expect(others.map(statement => statement.getText())).to.deep.equal([])
    expect(imports.flatMap(({ names }) => names)).to.not.include('*')
  })
})
