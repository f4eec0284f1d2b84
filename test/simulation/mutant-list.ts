// Ways to break the protocol on purpose, each by a few edits of the source.

/** A text in a file of src that stands there once, and what stands there instead. */
export interface Edit {
  readonly file: string
  readonly find: string
  readonly replace: string
}

/** One way to break the protocol. */
export interface Mutant {
  readonly name: string
  /** Which rule it breaks. */
  readonly breaks: string
  readonly profile: string
  readonly edits: readonly Edit[]
}

/** The rules, and what the source is like without each of them. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: 'no-counter-condition',
    breaks: 'R2: a write tests the lease counter',
    profile: 'hostile',
    edits: [
      {
        file: 'leases/memory-lease-store.ts',
        find: 'return row.owner === lease.owner && row.counter === lease.counter',
        replace: 'return row.owner === lease.owner || lease.owner === undefined'
      }
    ]
  },
  {
    name: 'wall-clock',
    breaks: 'R5: a session is judged by the monotonic clock',
    profile: 'hostile',
    edits: [
      {
        file: 'leases/session-proof.ts',
        find: 'return provedAtMs() + validMs - clock.monotonicMs()',
        // The calendar of a simulated world begins here.
        replace: 'return provedAtMs() + validMs - (clock.epochMs() - 1_893_456_000_000)'
      }
    ]
  },
  {
    name: 'one-parent',
    breaks: 'R10: a child starts when all its parents are finished',
    profile: 'reshard',
    edits: [
      {
        file: 'leases/claim-rules.ts',
        find: '!lease.parentShardIds.some(parent => waitedFor.has(siblingKey(lease, parent)))',
        replace:
          '!(lease.parentShardIds.length > 0 && lease.parentShardIds.every(parent => waitedFor.has(siblingKey(lease, parent))))'
      },
      {
        file: 'shards/parent-rules.ts',
        find: "if (unfinished !== undefined) return { kind: 'unfinished'",
        replace:
          "if (unfinished !== undefined && [...parents.values()].every(parent => !isFinished(parent))) return { kind: 'unfinished'"
      }
    ]
  },
  {
    name: 'checkpoint-before-settling',
    breaks: 'the checkpoint never passes a record that is not settled',
    profile: 'hostile',
    edits: [
      {
        file: 'processor/handler-processor.ts',
        find: '    return failureOf(await this.#handler(records, context))',
        replace:
          '    const result = await this.#handler(records, context)\n' +
          '    await context.checkpointer.checkpoint()\n    return failureOf(result)'
      }
    ]
  },
  {
    name: 'no-self-fence',
    breaks: 'R5: a session that cannot prove that it lives delivers nothing',
    profile: 'hostile',
    edits: [
      {
        file: 'leases/session-proof.ts',
        find: 'const isProved = this.remainingMs() > 0',
        replace: 'const isProved = this.remainingMs() > Number.NEGATIVE_INFINITY'
      }
    ]
  },
  {
    name: 'hasty-certificate',
    breaks: 'R6: a session is watched for the lease duration before its death is certified',
    profile: 'hostile',
    edits: [
      {
        file: 'fleet/member-watch.ts',
        find: '? 2 * durationMs : durationMs\n',
        replace: '? heartbeatMs : heartbeatMs\n'
      }
    ]
  },
  {
    name: 'claim-from-the-living',
    breaks: 'R1: a lease is claimed only if nobody has it or its owner has a death certificate',
    profile: 'hostile',
    edits: [
      {
        file: 'leases/claim-rules.ts',
        find: "return { kind: 'owned', by: holder }",
        replace: "return { kind: 'claim', why: 'dead' }"
      }
    ]
  },
  {
    name: 'zombie-catches-up',
    breaks: 'R3: only a row that is ours and one step ahead is an earlier write of ours',
    profile: 'hostile',
    edits: [
      {
        file: 'leases/plan-renewals.ts',
        find: "if (holder !== session) return { kind: 'lost'",
        replace:
          "if (holder !== session) return { kind: 'ours', lease: current }\n  if (holder === '') return { kind: 'lost'"
      }
    ]
  },
  {
    name: 'impatient-drain',
    breaks: 'R9: a lease that moves is released when what is in flight is settled',
    profile: 'deploy',
    edits: [
      {
        file: 'worker/shard-consumers.ts',
        find: '      running.consumer.drain()\n',
        replace: '      void running.consumer.abandon()\n'
      }
    ]
  },
  {
    name: 'certificate-is-not-final',
    breaks: 'R4: the heartbeat of a dead session is refused',
    profile: 'hostile',
    edits: [
      {
        file: 'leases/memory-control-store.ts',
        find: 'return member?.dead === undefined ? member : undefined',
        replace: 'return member'
      },
      {
        file: 'leases/memory-control-store.ts',
        find: "return member.dead === undefined ? { kind: 'alive', asgVer: member.asgVer } : { kind: 'dead', how: member.dead }",
        replace: "return { kind: 'alive', asgVer: member.asgVer }"
      }
    ]
  },
  {
    name: 'watermark-by-count',
    breaks: 'the checkpoint of lanes is where everything before is settled',
    profile: 'failing',
    edits: [
      {
        file: 'checkpoint/watermark.ts',
        find: 'while (stretch.isSettled[stretch.first] === 1) stretch.first += 1',
        replace: 'while (stretch.first < stretch.settled) stretch.first += 1'
      }
    ]
  },
  {
    name: 'lane-for-each-record',
    breaks: 'records of one key are in one lane',
    profile: 'failing',
    edits: [
      {
        file: 'consumer/lane-key.ts',
        find: "if (by === 'key') return record.partitionKey",
        replace: "if (by === 'key') return formatPosition(record)"
      }
    ]
  },
  {
    name: 'holes-stay-open',
    breaks: 'before a shard is given back, what lies before settled records is tried again',
    profile: 'failing',
    edits: [
      {
        file: 'consumer/lane-delivery.ts',
        find: 'this.#lanes.keep(({ number }) => number <= this.#begun)',
        replace: 'this.#lanes.keep(() => false)'
      }
    ]
  },
  {
    name: 'settled-comes-again',
    breaks: 'what a call has settled before it failed is not delivered again',
    profile: 'failing',
    edits: [
      {
        file: 'consumer/settled-records.ts',
        find: 'return this.#records.filter((record, index) => !this.#isSettled(index) && !this.#checkpointed.isStored(record))',
        replace: 'return this.#records'
      }
    ]
  },
  {
    name: 'lost-letter',
    breaks: 'the checkpoint passes a record only once its dead letter is stored',
    profile: 'failing',
    edits: [
      {
        file: 'consumer/give-up-records.ts',
        find: '      listener.deadLetterFailed(error, retryInMs)\n',
        replace: "      listener.deadLetterFailed(error, retryInMs)\n      return { kind: 'done' }\n"
      }
    ]
  },
  {
    name: 'guilt-by-company',
    breaks: 'only the record that fails alone is given up',
    profile: 'failing',
    edits: [
      {
        file: 'processor/failure-rules.ts',
        find: "return mayBisect ? 'bisect' : policy.lastResort",
        replace: 'return policy.lastResort'
      }
    ]
  },
  {
    name: 'late-is-done',
    breaks: 'a call that took too long has failed, whatever it returns',
    profile: 'failing',
    edits: [
      {
        file: 'consumer/call-limit.ts',
        find: 'if (this.isTooLong) reject(this.#tooLong())\n        else resolve(value)',
        replace: 'resolve(value)'
      }
    ]
  }
]
