// Every file of src has a test file of its own, or one that is named here.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { ROOT, sourceFiles, testFiles } from '../support/source-files.ts'

/** Files without a test file at the same path, with the one that tests them. */
const TESTED_BY: Readonly<Record<string, string>> = {
  'cli/cli-ports.ts': 'cli/interruption.test.ts',
  'cli/command.ts': 'cli/program.test.ts',
  'cli/exit-codes.ts': 'cli/program.test.ts',
  'dashboard/board.ts': 'dashboard/dashboard.test.ts',
  'dashboard/dashboard-options.ts': 'dashboard/dashboard.test.ts',
  'dashboard/lookout.ts': 'dashboard/dashboard.test.ts',
  'dashboard/operation-rules.ts': 'dashboard/dashboard.test.ts',
  'dashboard/operations.ts': 'dashboard/dashboard.test.ts',
  'dashboard/request-body.ts': 'dashboard/dashboard.test.ts',
  'dashboard/request-rules.ts': 'dashboard/dashboard.test.ts',
  'dashboard/snapshot.ts': 'dashboard/dashboard.test.ts',
  'dashboard/token.ts': 'dashboard/dashboard.test.ts',
  'decoding/decoded-record.ts': 'consumer/batch-decoding.test.ts',
  'decoding/standard-schema.ts': 'worker/decode-options.test.ts',
  'glue-schema-registry/avro-payloads.ts': 'glue-schema-registry/glue-schema-registry.test.ts',
  'glue-schema-registry/avsc-package.cts': 'glue-schema-registry/glue-schema-registry.test.ts',
  'glue-schema-registry/glue-errors.ts': 'glue-schema-registry/schema-versions.test.ts',
  'glue-schema-registry/glue-package.cts': 'glue-schema-registry/schema-versions.test.ts',
  'glue-schema-registry/inflate.ts': 'glue-schema-registry/glue-schema-registry.test.ts',
  'glue-schema-registry/payload-decoder.ts': 'glue-schema-registry/glue-schema-registry.test.ts',
  'glue-schema-registry/protobuf-payloads.ts': 'glue-schema-registry/glue-schema-registry.test.ts',
  'glue-schema-registry/protobufjs-package.cts': 'glue-schema-registry/glue-schema-registry.test.ts',
  'dead-letters/letter-source.ts': 'dead-letters/redrive.test.ts',
  'dead-letters/stream-redriver.ts': 'dead-letters/redrive.test.ts',
  'dead-letters/s3-bucket.ts': 'dead-letters/s3-dead-letters.test.ts',
  'dead-letters/sqs-queue.ts': 'dead-letters/sqs-dead-letters.test.ts',
  'dynamodb-streams/dynamodb-streams-package.cts': 'dynamodb-streams/dynamodb-stream.test.ts',
  'dynamodb-streams/sdk-streams-calls.ts': 'dynamodb-streams/sdk-streams-port.test.ts',
  'dynamodb-streams/sdk-streams-errors.ts': 'dynamodb-streams/sdk-streams-port.test.ts',
  'kinesis/stream-source.ts': 'dynamodb-streams/dynamodb-stream.test.ts',
  'testing/fake-streams-service.ts': 'testing/fake-table.test.ts',
  'testing/fake-table-stream.ts': 'testing/fake-table.test.ts',
  'kinesis/put-port.ts': 'kinesis/sdk-put-records.test.ts',
  'consumer/delivery-options.ts': 'scenarios/lanes.test.ts',
  'consumer/shard-delivery.ts': 'scenarios/lanes.test.ts',
  'consumer/shard-status.ts': 'worker/health-rules.test.ts',
  'processor/dead-letter.ts': 'dead-letters/redrive.test.ts',
  'worker/reading-doubt.ts': 'scenarios/frozen.test.ts',
  'consumer/processor-calls.ts': 'consumer/shard-consumer-handling.test.ts',
  'consumer/shard-listener.ts': 'consumer/shard-consumer.test.ts',
  'index.ts': 'public-api.test.ts',
  'kinesis/fan-out-port.ts': 'contracts/fan-out.test.ts',
  'kinesis/fan-out-wire.ts': 'kinesis/sdk-fan-out.test.ts',
  'kinesis/sdk-fan-out-errors.ts': 'kinesis/sdk-fan-out.test.ts',
  'kinesis/sdk-fan-out-request.ts': 'kinesis/sdk-fan-out.test.ts',
  'kinesis/kinesis-port.ts': 'contracts/kinesis-port.test.ts',
  'kinesis/sdk-kinesis-errors.ts': 'kinesis/sdk-kinesis.test.ts',
  'kpl/aggregated-record.ts': 'kpl/deaggregate.test.ts',
  'kpl/key-places.ts': 'kpl/deaggregate.test.ts',
  'kpl/md5-wasm.ts': 'kpl/md5-lanes.test.ts',
  'kpl/md5.ts': 'kpl/hash-key.test.ts',
  'kpl/protobuf.ts': 'kpl/deaggregate.test.ts',
  'dynamo/dynamo-attribute.ts': 'leases/dynamo-item.test.ts',
  'dynamo/dynamo-client.ts': 'leases/dynamo-lease-store.test.ts',
  'fleet/beating-thread.ts': 'fleet/thread-heartbeat.test.ts',
  'fleet/heartbeat.ts': 'fleet/thread-heartbeat.test.ts',
  'fleet/coordinator-options.ts': 'fleet/lease-coordinator.test.ts',
  'kinesis/sdk-answer-date.ts': 'kinesis/sdk-kinesis.test.ts',
  'leases/control-store.ts': 'contracts/control-store.test.ts',
  'leases/kcl-coordination.ts': 'leases/dynamo-kcl-coordination.test.ts',
  'leases/kcl-estate.ts': 'leases/dynamo-kcl-estate.test.ts',
  'leases/lease-store.ts': 'contracts/lease-store.test.ts',
  'multilang/child-host.ts': 'multilang/child-pool.test.ts',
  'multilang/child-seat.ts': 'multilang/child-pool.test.ts',
  'operate/checkpoints.ts': 'operate/fleet.test.ts',
  'operate/doctor.ts': 'operate/fleet.test.ts',
  'operate/fleet-context.ts': 'operate/reset.test.ts',
  'operate/fleet-options.ts': 'operate/fleet.test.ts',
  'operate/lag.ts': 'operate/fleet.test.ts',
  'operate/leftovers.ts': 'scenarios/migration.test.ts',
  'operate/letting-go.ts': 'scenarios/orders.test.ts',
  'operate/migration-sight.ts': 'scenarios/migration.test.ts',
  'operate/migration.ts': 'scenarios/migration.test.ts',
  'operate/session-roll.ts': 'scenarios/orders.test.ts',
  'operate/shared-table.ts': 'scenarios/streams-operated.test.ts',
  'operate/steering.ts': 'scenarios/orders.test.ts',
  'operate/stream-facts.ts': 'operate/reset.test.ts',
  'testing/simulated-operator.ts': 'scenarios/orders.test.ts',
  'processor/record-processor.ts': 'consumer/shard-consumer-handling.test.ts',
  'retrieval/retriever.ts': 'retrieval/polling-retriever.test.ts',
  'runtime/clock.ts': 'contracts/kinesis-port.test.ts',
  'runtime/deferred.ts': 'worker/worker.test.ts',
  'shards/lease-table.ts': 'shards/shard-syncer.test.ts',
  'shards/stream-lookup.ts': 'shards/shard-syncer.test.ts',
  'shards/sync-context.ts': 'shards/shard-syncer.test.ts',
  'shards/sync-report.ts': 'shards/shard-syncer.test.ts',
  'testing/fake-stream.ts': 'testing/fake-kinesis.test.ts',
  'dead-letters/s3-package.cts': 'dead-letters/s3-dead-letters.test.ts',
  'dead-letters/sqs-package.cts': 'dead-letters/sqs-dead-letters.test.ts',
  'metrics/cloudwatch-package.cts': 'metrics/cloudwatch-metrics.test.ts',
  'metrics/otel-package.cts': 'metrics/otel-metrics.test.ts',
  'metrics/prometheus-package.cts': 'metrics/prometheus-metrics.test.ts',
  'metrics/cloudwatch-names.ts': 'metrics/cloudwatch-metrics.test.ts',
  'metrics/metrics.ts': 'worker/worker-metrics.test.ts',
  'metrics/tracing.ts': 'metrics/otel-tracing.test.ts',
  'model/records-answer.ts': 'contracts/kinesis-port.test.ts',
  'processor/hosted-processor.ts': 'multilang/daemon.test.ts',
  'processor/pool-thread.ts': 'processor/thread-pool.test.ts',
  'processor/thread-messages.ts': 'processor/thread-pool.test.ts',
  'processor/thread-processor.ts': 'processor/thread-pool.test.ts',
  'worker/consumer-factory.ts': 'worker/worker.test.ts',
  'worker/many-streams.ts': 'scenarios/streams.test.ts',
  'worker/open-streams.ts': 'scenarios/streams.test.ts',
  'worker/shard-answers.ts': 'worker/worker.test.ts',
  'worker/stream-set.ts': 'worker/worker.test.ts',
  'worker/worker-stream.ts': 'scenarios/streams.test.ts',
  'multilang/credential-package.cts': 'multilang/credential-providers.test.ts',
  'multilang/daemon-plan.ts': 'multilang/settings-rules.test.ts',
  'multilang/multilang-settings.ts': 'multilang/daemon.test.ts'
}

describe('the tests of the architecture', () => {
  it('are one for each file of src, at the same path, or named here', () => {
    // What needs a browser is tried in one: by `npm run browser`, which is not part of the tests.
    const untested = sourceFiles().filter(
      ({ path }) => !hasOwnTest(path) && TESTED_BY[path] === undefined && !path.startsWith('dashboard-page/')
    )
    expect(untested.map(({ path }) => path)).to.deep.equal([])
  })

  it('are named here only for files without one of their own', () => {
    const paths = sourceFiles().map(({ path }) => path)
    expect(Object.keys(TESTED_BY).filter(path => !paths.includes(path) || hasOwnTest(path))).to.deep.equal([])
  })

  it('are named here only if they exist, and lead to the file', () => {
    const leading = Object.entries(TESTED_BY).filter(([path, test]) => !reachedFrom(`test/${test}`).has(`src/${path}`))
    expect(leading).to.deep.equal([])
  })
})

function hasOwnTest(path: string): boolean {
  return existsSync(join(ROOT, 'test', path.replace(/\.ts$/, '.test.ts')))
}

/** Everything that a file imports, and what that imports in turn. */
function reachedFrom(start: string): ReadonlySet<string> {
  const graph = new Map(
    [...sourceFiles().map(file => ['src', file] as const), ...testFiles().map(file => ['test', file] as const)].map(
      ([folder, { path, imports }]) => [`${folder}/${path}`, imports.map(({ target }) => target)]
    )
  )
  const reached = new Set<string>()
  const visit = (path: string): void => {
    for (const next of graph.get(path) ?? []) {
      if (reached.has(next)) continue
      reached.add(next)
      visit(next)
    }
  }
  visit(start)
  return reached
}
