// Takes the checkpoints of an application out of its table, and brings them back, also while it runs.
import { OperationError } from '../model/errors.ts'
import { type CheckpointExport, exportOf } from './checkpoint-codec.ts'
import type { FleetContext, OperationOptions } from './fleet-context.ts'
import { planImport } from './plan-import.ts'
import { type ResetReport, rewriteRows } from './reset.ts'
import { listLeases } from './shared-table.ts'
import { findFleetStream } from './stream-facts.ts'

/** The checkpoints as they are. Of a fleet that runs, each as it was when the table was read. */
export async function exportCheckpoints(context: FleetContext, signal?: AbortSignal): Promise<CheckpointExport> {
  const { stream, nowMs } = await findFleetStream(context, signal)
  return exportOf(context.applicationName, stream, await listLeases(context, signal), nowMs)
}

/** Brings checkpoints back. @throws OperationError as a reset does; `mismatch` if they are of another stream */
export async function importCheckpoints(
  context: FleetContext,
  exported: CheckpointExport,
  operation: OperationOptions & { readonly timeoutMs: number }
): Promise<ResetReport> {
  const { stream } = await findFleetStream(context, operation.signal)
  const isSame = exported.streamArn === stream.streamArn && exported.streamCreationEpoch === stream.creationEpoch
  if (!isSame) {
    const theirs = `${exported.streamArn} (created at ${exported.streamCreationEpoch} s)`
    const ours = `${stream.streamArn} (created at ${stream.creationEpoch} s)`
    throw new OperationError('mismatch', `The checkpoints are of ${theirs}, not of ${ours}, where they mean nothing`)
  }
  const why = 'an import of checkpoints'
  return rewriteRows(context, { ...operation, why, scope: 'all', plan: found => planImport({ ...found, exported }) })
}
