// Dead letters in a local file of JSON Lines, which several shards and several processes may append to.
//
// Each batch is one write at the end of the file. A process that is killed may leave part of a line behind, and the next batch,
// of whatever process, must not become the end of that line: hence the look at the last byte before the write, and at what
// came to stand before the batch after it.
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { messageOf, ServiceError } from '../model/errors.ts'
import { checkOptions } from '../model/option-rules.ts'
import type { DeadLetter, DeadLetterDestination, StoreOptions } from '../processor/dead-letter.ts'
import { unlessAborted } from '../runtime/abort.ts'
import { encodeDeadLetters } from './letter-codec.ts'
import { checkName } from './option-rules.ts'

/** Options of {@link fileDeadLetters}. */
export interface FileDeadLettersOptions {
  /** The file, on a local file system. It and its folders are created when the first letter comes. */
  readonly path: string
}

const NEWLINE = 10

/**
 * A destination that appends letters to a file, one line of JSON each. A letter is stored once it is on the disk (fsync). The file
 * may be moved away or deleted at any time: the next letters begin a new one.
 *
 * @throws OptionError if the path is missing.
 */
export function fileDeadLetters(options: FileDeadLettersOptions): DeadLetterDestination {
  checkOptions(options, ['path'])
  return new FileDeadLetters(resolve(checkName('path', options.path, 'the path of a file')))
}

interface Waiting {
  readonly lines: Buffer
  readonly signal: AbortSignal
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

class FileDeadLetters implements DeadLetterDestination {
  readonly name: string
  readonly #path: string
  #waiting: Waiting[] = []
  #isWriting = false

  constructor(path: string) {
    this.name = `file ${path}`
    this.#path = path
  }

  store(letters: readonly DeadLetter[], { signal }: StoreOptions): Promise<void> {
    const lines = encodeDeadLetters(letters)
    const stored = new Promise<void>((resolve, reject) => {
      this.#waiting.push({ lines, signal, resolve, reject })
    })
    if (!this.#isWriting) void this.#writeAll()
    return unlessAborted(stored, signal)
  }

  /** One write at a time. What has come meanwhile, of all shards, is the next one: they share it, and its fsync. */
  async #writeAll(): Promise<void> {
    this.#isWriting = true
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.filter(({ signal }) => !signal.aborted)
      this.#waiting = []
      try {
        if (batch.length > 0) await append(this.#path, Buffer.concat(batch.map(({ lines }) => lines)))
        for (const { resolve } of batch) resolve()
      } catch (error) {
        const message = `Dead letters could not be appended to ${this.#path}: ${messageOf(error)}`
        const failed = new ServiceError('other', message, { retryable: true, cause: error })
        for (const { reject } of batch) reject(failed)
      }
    }
    this.#isWriting = false
  }
}

/** Appends whole lines, durably. */
async function append(path: string, lines: Buffer): Promise<void> {
  // Opened for each batch: a file that is kept open would be written to after it was deleted.
  const { file, isNew } = await openFile(path)
  try {
    while (!(await appendOnce(file, lines))) {
      // Something else came in between and left a part of a line. The next time begins a new one.
    }
    await file.datasync()
  } finally {
    await file.close()
  }
  if (isNew) await syncFolders(path)
}

/** Appends the lines, and says whether they stand on lines of their own. */
async function appendOnce(file: FileHandle, lines: Buffer): Promise<boolean> {
  const { size: before } = await file.stat()
  const isTorn = before > 0 && (await read(file, before - 1, 1))[0] !== NEWLINE
  const bytes = isTorn ? Buffer.concat([Buffer.of(NEWLINE), lines]) : lines
  const { bytesWritten } = await file.write(bytes)
  if (bytesWritten < bytes.length) throw new Error(`Only ${bytesWritten} of ${bytes.length} bytes were written`)
  const { size: after } = await file.stat()
  if (isTorn || after === before + bytes.length) return true
  // Others have written, before or after us. Whose write was torn is known only by looking.
  const added = await read(file, before, Math.max(0, after - before))
  const at = added.indexOf(lines)
  return at === 0 || (at > 0 && added[at - 1] === NEWLINE)
}

async function read(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position)
  return buffer.subarray(0, bytesRead)
}

/** The file, for reading and for appending. */
async function openFile(path: string): Promise<{ file: FileHandle; isNew: boolean }> {
  try {
    return { file: await open(path, 'ax+'), isNew: true }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return { file: await open(path, 'a+'), isNew: false }
    if (code !== 'ENOENT') throw error
    await mkdir(dirname(path), { recursive: true })
    return { file: await open(path, 'a+'), isNew: true }
  }
}

/** Makes the name of a new file last, and those of the folders it is in, as far as the system can do that. */
async function syncFolders(path: string): Promise<void> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    try {
      const handle = await open(folder, 'r')
      await handle.sync().finally(() => handle.close())
    } catch {
      // Windows opens no folders, and others forbid it above the one that is ours: the file itself is on the disk.
      return
    }
    if (folder === dirname(folder)) return
  }
}
