// A queue of SQS behind HTTP, for the real client of the SDK: sends, receipts, groups, and faults as tests want them.
import { createHash } from 'node:crypto'
import { type ScriptedAnswer, ScriptedServer, type SeenRequest } from '../kinesis/scripted-server.ts'

/** A message in the queue. */
export interface QueuedMessage {
  readonly id: string
  readonly body: string
  readonly groupId?: string | undefined
  readonly deduplicationId?: string | undefined
  receipt: string
  isVisible: boolean
  receives: number
}

interface Entry {
  readonly Id: string
  readonly MessageBody: string
  readonly MessageGroupId?: string
  readonly MessageDeduplicationId?: string
}

type Input = Readonly<Record<string, unknown>>

/** One queue. */
export class FakeSqs {
  readonly server = new ScriptedServer()
  messages: QueuedMessage[] = []
  /** Names of the calls, in order, with the number of entries for batches. */
  readonly calls: string[] = []
  readonly inputs: Input[] = []
  /** Answers a call in place of the queue, if it answers. */
  fault: (call: string, count: number) => ScriptedAnswer | Promise<ScriptedAnswer | undefined> | undefined = () =>
    undefined
  /** Refuses a message of a batch. */
  refuse: (body: string) => { Code: string; SenderFault: boolean } | undefined = () => undefined
  readonly #name: string
  readonly #seen = new Set<string>()
  #last = 0

  constructor(name = 'letters') {
    this.#name = name
    this.server.answer = request => this.#answer(request)
  }

  get queueUrl(): string {
    return `${this.server.endpoint}/123456789012/${this.#name}`
  }

  /** What the client is configured with. */
  get client(): { region: string; endpoint: string; credentials: { accessKeyId: string; secretAccessKey: string } } {
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
    return { region: 'us-east-1', endpoint: this.server.endpoint, credentials }
  }

  /** All that was received can be received again. */
  lapse(): void {
    for (const message of this.messages) message.isVisible = true
  }

  async #answer({ headers, body }: SeenRequest): Promise<ScriptedAnswer> {
    const call = String(headers['x-amz-target']).replace('AmazonSQS.', '')
    const input = JSON.parse(body.toString()) as Input
    const { length = 1 } = Object(input.Entries) as { length?: number }
    this.calls.push(input.Entries === undefined ? call : `${call} ${length}`)
    this.inputs.push(input)
    const fault = await this.fault(call, length)
    return fault ?? { body: JSON.stringify(this.#carryOut(call, input)) }
  }

  #carryOut(call: string, input: Input): object {
    switch (call) {
      case 'SendMessageBatch':
        return this.#send(input.Entries as Entry[])
      case 'ReceiveMessage':
        return this.#receive()
      case 'DeleteMessage':
        this.messages = this.messages.filter(({ receipt }) => receipt !== input.ReceiptHandle)
        return {}
      case 'ChangeMessageVisibilityBatch': {
        const receipts = (input.Entries as { ReceiptHandle: string }[]).map(({ ReceiptHandle }) => ReceiptHandle)
        for (const message of this.messages) if (receipts.includes(message.receipt)) message.isVisible = true
        return { Successful: [], Failed: [] }
      }
      default:
        return {}
    }
  }

  #send(entries: readonly Entry[]): object {
    const failed = entries.flatMap(({ Id, MessageBody }) => {
      const refusal = this.refuse(MessageBody)
      return refusal === undefined ? [] : [{ Id, ...refusal, Message: 'words of the service' }]
    })
    const taken = entries.filter(({ Id }) => failed.every(refused => refused.Id !== Id))
    for (const { MessageBody: body, MessageGroupId: groupId, MessageDeduplicationId: deduplicationId } of taken) {
      if (deduplicationId !== undefined && this.#seen.has(deduplicationId)) continue
      this.#seen.add(deduplicationId ?? '')
      this.add(body, { groupId, deduplicationId })
    }
    const successful = taken.map(({ Id, MessageBody }) => ({ Id, MessageId: Id, MD5OfMessageBody: md5(MessageBody) }))
    return { Successful: successful, Failed: failed }
  }

  /** Puts a message into the queue. */
  add(body: string, with_: Partial<QueuedMessage> = {}): void {
    this.#last += 1
    this.messages.push({ id: `m${this.#last}`, body, receipt: '', isVisible: true, receives: 0, ...with_ })
  }

  #receive(): object {
    const received: QueuedMessage[] = []
    for (const message of this.messages) {
      const earlier = this.messages.slice(0, this.messages.indexOf(message))
      const isBlocked = earlier.some(
        ({ groupId, isVisible }) => groupId !== undefined && groupId === message.groupId && !isVisible
      )
      const isFree = message.isVisible && (!isBlocked || received.some(({ groupId }) => groupId === message.groupId))
      if (isFree && received.length < 10) received.push(message)
      if (received.includes(message)) message.isVisible = false
    }
    return {
      Messages: received.map(message => {
        message.receives += 1
        message.receipt = `${message.id}-${message.receives}`
        const { id, receipt, body } = message
        return { MessageId: id, ReceiptHandle: receipt, Body: body, MD5OfBody: md5(body) }
      })
    }
  }
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex')
}
