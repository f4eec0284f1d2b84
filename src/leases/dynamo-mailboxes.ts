// The mailboxes in DynamoDB, those among them that are too large for one item. A split mailbox has parts, written before its
// head, which names them by term and version: whoever reads a head finds its parts, unless a newer head has replaced it.
import type { ControlStore, Mailbox } from './control-store.ts'
import {
  assembled,
  isPartOf,
  type MailboxHead,
  mailboxKey,
  mailboxWritesOf,
  type Parsed,
  PREFIX,
  parseMailbox,
  partKeysOf,
  type StoredItem,
  sortKeyOf,
  supersedes,
  tellingOf
} from './dynamo-control-item.ts'
import type { Partition } from './dynamo-partition.ts'
import { sameValue } from './lease-fields.ts'

/** The mailboxes of one application. */
export interface Mailboxes extends Pick<ControlStore, 'mailbox' | 'mailboxes' | 'post'> {
  /** Deletes the mailbox of a session, and what is left of earlier ones. */
  removeMailbox(session: string): Promise<void>
}

/** What the mailboxes are made with. */
export interface MailboxesContext {
  readonly partition: Partition
  /** A mailbox whose lists have more bytes than this is split. */
  readonly maxBytes: number
  /** The value of an item, or `undefined` if it cannot be read; then tells of it. */
  readonly readable: <T>(parsed: Parsed<T>) => T | undefined
  /** Told that parts of a mailbox could not be deleted. */
  readonly leftBehind: (session: string, error: unknown) => void
}

/** How often a mailbox is read whose parts are not those of its head. Each time somebody has replaced it meanwhile. */
const ATTEMPTS = 5

/** The mailboxes of one application in DynamoDB. */
export function mailboxesOf(context: MailboxesContext): Mailboxes {
  const { partition, readable } = context

  const mailbox: Mailboxes['mailbox'] = async (session, signal) => {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const head = await readHead(context, session, signal)
      const whole = head && (await complete(context, head, signal))
      if (head === undefined || whole !== undefined) return whole
    }
    const problem = 'parts of it are missing or cannot be read'
    return readable({ kind: 'unreadable', sk: mailboxKey(session), problem })
  }

  return {
    mailbox,

    async mailboxes(signal) {
      const found: Mailbox[] = []
      for (const item of await partition.readAll(PREFIX.mailbox, { consistent: true, signal })) {
        const head = readable(parseMailbox(item))
        if (head === undefined) continue
        const whole = (await complete(context, head, signal)) ?? (await mailbox(head.mailbox.session, signal))
        if (whole !== undefined) found.push(whole)
      }
      return found
    },

    async post(next) {
      if (!(await write(context, next))) {
        // If this is exactly what is there, it is our own earlier write, whose answer was lost.
        const current = await mailbox(next.session)
        if (current === undefined || !sameValue(current, next)) return false
      }
      await partition.update(tellingOf(next))
      return true
    },

    async removeMailbox(session) {
      const items = await partition.readAll(`${PREFIX.mailboxPart}${session}#`, { consistent: true })
      for (const sk of items.map(sortKeyOf)) if (isPartOf(session, sk)) await partition.remove({ sk })
      await partition.remove({ sk: mailboxKey(session) })
    }
  }
}

async function readHead(
  { partition, readable }: MailboxesContext,
  session: string,
  signal?: AbortSignal
): Promise<MailboxHead | undefined> {
  const item = await partition.read(mailboxKey(session), { consistent: true, signal })
  return item && readable(parseMailbox(item))
}

/** The mailbox of a head. `undefined` if parts are missing or cannot be read. */
async function complete(
  { partition, readable }: MailboxesContext,
  head: MailboxHead,
  signal?: AbortSignal
): Promise<Mailbox | undefined> {
  if (head.parts === 0) return head.mailbox
  const read = await Promise.all(partKeysOf(head).map(sk => partition.read(sk, { consistent: true, signal })))
  const parts = read.filter(part => part !== undefined)
  return parts.length === read.length ? readable(assembled(head, parts)) : undefined
}

/** Writes parts and head. False: the head was refused. */
async function write(context: MailboxesContext, next: Mailbox): Promise<boolean> {
  const { partition, maxBytes } = context
  const { parts, head } = mailboxWritesOf(next, maxBytes)
  if (parts.length > 0) {
    // Not even the parts of what will be refused may be written: if this version has landed already, they are in force.
    const current = await readHead(context, next.session)
    if (current !== undefined && !supersedes(next, current.mailbox)) return false
    for (const part of parts) await partition.put(part)
  }
  const outcome = await partition.put(head)
  const replaced = outcome.kind === 'written' && outcome.item
  if (replaced) await removeParts(context, replaced)
  return outcome.kind === 'written'
}

/** Deletes the parts of a head that has been replaced. The mailbox is in force even if that fails. */
async function removeParts({ partition, readable, leftBehind }: MailboxesContext, head: StoredItem): Promise<void> {
  const replaced = readable(parseMailbox(head))
  if (replaced === undefined) return
  try {
    for (const sk of partKeysOf(replaced)) await partition.remove({ sk })
  } catch (error) {
    leftBehind(replaced.mailbox.session, error)
  }
}
