// The ports of one simulated worker: each call to Kinesis and to the tables goes through the worker's line.
import type { FanOutPort, SubscriptionEvent } from '../kinesis/fan-out-port.ts'
import type { KinesisPort } from '../kinesis/kinesis-port.ts'
import type { ControlStore } from '../leases/control-store.ts'
import type { LeaseStore } from '../leases/lease-store.ts'
import { readIterator } from './fake-iterator.ts'
import type { ServiceCall, ServiceName } from './faults.ts'
import { leaseWriteKind } from './lease-writes.ts'
import type { Line } from './network.ts'
import type { RequestKind } from './table-usage.ts'

/** Whose ports these are. */
export interface Caller {
  readonly name: string
  readonly line: Line
}

/** A stream of Kinesis as a worker reaches it. */
export function kinesisThrough({ name, line }: Caller, port: KinesisPort): KinesisPort {
  const about = (call: string, key?: string): ServiceCall => aboutCall('kinesis', call, name, false, key)
  return {
    streamName: port.streamName,
    describeStream: options => line.call(about('describeStream'), options?.signal, () => port.describeStream()),
    listShards: (options = {}) => {
      const { signal, filter } = options
      return line.call(about('listShards'), signal, () => port.listShards(filter && { filter }))
    },
    getShardIterator: (shardId, start, options) =>
      line.call(about('getShardIterator', shardId), options?.signal, () => port.getShardIterator(shardId, start)),
    getRecords: (iterator, { limit, signal }) =>
      line.call(aboutRead(name, iterator), signal, () => port.getRecords(iterator, { limit })),
    close: () => port.close()
  }
}

/**
 * Enhanced fan-out as a worker reaches it. Each event goes through the line, too, as a call `subscriptionEvent`: one that is lost
 * breaks the subscription, as does a partition once there is something to be heard.
 */
export function fanOutThrough({ name, line }: Caller, port: FanOutPort): FanOutPort {
  const about = (call: string, key?: string, isWrite = false): ServiceCall =>
    aboutCall('kinesis', call, name, isWrite, key)
  const heard = (events: AsyncIterable<SubscriptionEvent>, shardId: string, signal: AbortSignal | undefined) => ({
    [Symbol.asyncIterator]: (): AsyncIterator<SubscriptionEvent> => {
      const iterator = events[Symbol.asyncIterator]()
      return {
        next: () => line.call(about('subscriptionEvent', shardId), signal, () => iterator.next()),
        return: async () => (await iterator.return?.()) ?? { done: true, value: undefined }
      }
    }
  })
  return {
    streamName: port.streamName,
    registerConsumer: (consumerName, { signal } = {}) =>
      line.call(about('registerConsumer', undefined, true), signal, () => port.registerConsumer(consumerName)),
    describeConsumer: (consumer, { signal } = {}) =>
      line.call(about('describeConsumer'), signal, () => port.describeConsumer(consumer)),
    subscribeToShard: async input => {
      const { shardId, signal } = input
      const events = await line.call(about('subscribeToShard', shardId), signal, () => port.subscribeToShard(input))
      return heard(events, shardId, signal)
    },
    close: () => port.close()
  }
}

/** The lease table as a worker reaches it. */
export function leaseStoreThrough({ name, line }: Caller, store: LeaseStore): LeaseStore {
  const reads = (call: RequestKind, key?: string): ServiceCall => aboutCall('dynamodb', call, name, false, key)
  const writes = (call: RequestKind, key: string): ServiceCall => aboutCall('dynamodb', call, name, true, key)
  return {
    tableName: store.tableName,
    prepare: signal => line.call(reads('prepare'), signal, () => store.prepare()),
    list: ({ consistent = false, signal } = {}) => line.call(reads('scan'), signal, () => store.list({ consistent })),
    get: (leaseKey, signal) => line.call(reads('read-lease', leaseKey), signal, () => store.get(leaseKey)),
    create: lease => line.call(writes('create', lease.leaseKey), undefined, () => store.create(lease)),
    replace: (before, after) =>
      line.call(writes(leaseWriteKind(before, after), before.leaseKey), undefined, () => store.replace(before, after)),
    remove: lease => line.call(writes('remove', lease.leaseKey), undefined, () => store.remove(lease))
  }
}

/** The control items as a worker reaches them. */
export function controlStoreThrough({ name, line }: Caller, store: ControlStore): ControlStore {
  const read = <T>(call: RequestKind, signal: AbortSignal | undefined, work: () => Promise<T>, key?: string) =>
    line.call(aboutCall('dynamodb', call, name, false, key), signal, work)
  const write = <T>(call: RequestKind, key: string, work: () => Promise<T>) =>
    line.call(aboutCall('dynamodb', call, name, true, key), undefined, work)
  return {
    tableName: store.tableName,
    prepare: signal => read('prepare', signal, () => store.prepare()),
    join: report => write('join', report.session, () => store.join(report)),
    beat: (report, hb) => write('heartbeat', report.session, () => store.beat(report, hb)),
    leave: report => write('leave', report.session, () => store.leave(report)),
    certify: (session, hb, how) => write('certificate', session, () => store.certify(session, hb, how)),
    members: signal => read('read-members', signal, () => store.members()),
    member: (session, signal) => read('read-member', signal, () => store.member(session), session),
    leader: ({ consistent = false, signal } = {}) => read('read-leader', signal, () => store.leader({ consistent })),
    replaceLeader: (before, after) => write('leader', after.who ?? '', () => store.replaceLeader(before, after)),
    mailbox: (session, signal) => read('read-mailbox', signal, () => store.mailbox(session), session),
    mailboxes: signal => read('read-mailboxes', signal, () => store.mailboxes()),
    post: mailbox => write('mailbox', mailbox.session, () => store.post(mailbox)),
    reportLoads: (session, loads) => write('loads', session, () => store.reportLoads(session, loads)),
    loads: signal => read('read-loads', signal, () => store.loads()),
    forget: session => write('forget', session, () => store.forget(session)),
    clear: () => write('forget', '', () => store.clear()),
    orders: ({ consistent = false, signal } = {}) => read('read-orders', signal, () => store.orders({ consistent })),
    replaceOrders: (before, after) => write('orders', '', () => store.replaceOrders(before, after))
  }
}

/** Reads are the most calls by far: which shard one is about is found out only if somebody asks. */
function aboutRead(worker: string, iterator: string): ServiceCall {
  return {
    service: 'kinesis',
    call: 'getRecords',
    worker,
    isWrite: false,
    get key() {
      return readIterator(iterator)?.shardId ?? ''
    }
  }
}

function aboutCall(service: ServiceName, call: string, worker: string, isWrite: boolean, key?: string): ServiceCall {
  return { service, call, worker, isWrite, ...(key !== undefined && { key }) }
}
