// The database: a total per account, and in the same file how far each shard is in it. SQLite, which many processes may have
// open at once; with another database the statements are the same, and the calls are awaited.
import Database from 'libsql'
import { type ExtendedSequenceNumber, LeaseLostError } from 'millrace'

/** A payment, as it is in a record. */
export interface Payment {
  readonly id: number
  readonly account: string
  readonly amount: number
}

/** What is in the database, of all accounts or of one. */
export interface Total {
  readonly account: string
  readonly payments: number
  readonly amount: number
}

/** Where a shard is to be in the database after a commit, and where it has to be before. */
export interface Step {
  readonly shardId: string
  readonly position: ExtendedSequenceNumber
  readonly previous: ExtendedSequenceNumber | undefined
  readonly fencingToken: number
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS totals (account TEXT PRIMARY KEY, payments INTEGER NOT NULL, amount INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS positions (
    shard TEXT PRIMARY KEY, token INTEGER NOT NULL, sequence_number TEXT, sub_sequence_number INTEGER
  ) STRICT;
  -- Only for the proof: one row each time a payment is counted. Nothing keeps it from having an id twice.
  CREATE TABLE IF NOT EXISTS counted (id INTEGER NOT NULL) STRICT;`

export class AccountStore {
  readonly #db: Database.Database
  readonly #statements: Record<'fence' | 'read' | 'move' | 'count' | 'add', Database.Statement>

  constructor(file: string) {
    this.#db = new Database(file)
    this.#db.pragma('busy_timeout = 10000')
    this.#db.pragma('journal_mode = WAL')
    this.#db.exec(SCHEMA)
    this.#statements = {
      fence: this.#db.prepare(`
        INSERT INTO positions (shard, token) VALUES (?, ?)
        ON CONFLICT (shard) DO UPDATE SET token = excluded.token WHERE token <= excluded.token`),
      read: this.#db.prepare('SELECT token, sequence_number, sub_sequence_number FROM positions WHERE shard = ?'),
      // The sequence number is text: it has 56 digits.
      move: this.#db.prepare(`
        UPDATE positions SET sequence_number = ?, sub_sequence_number = ?
        WHERE shard = ? AND token = ? AND sequence_number IS ? AND sub_sequence_number IS ?`),
      count: this.#db.prepare(`
        INSERT INTO totals (account, payments, amount) VALUES (?, 1, ?)
        ON CONFLICT (account) DO UPDATE SET payments = payments + 1, amount = amount + excluded.amount`),
      add: this.#db.prepare('INSERT INTO counted (id) VALUES (?)')
    }
  }

  /** Locks out every earlier owner of the shard, and then says how far it is: the order matters. */
  enter(shardId: string, fencingToken: number): ExtendedSequenceNumber | undefined {
    return this.#transact(() => {
      const { changes } = this.#statements.fence.run(shardId, fencingToken)
      if (changes === 0) throw new LeaseLostError(shardId, `a later owner than ${fencingToken} has begun`)
      const row = this.#statements.read.get(shardId) as { sequence_number: string | null; sub_sequence_number: number }
      if (row.sequence_number === null) return undefined
      return { sequenceNumber: row.sequence_number, subSequenceNumber: row.sub_sequence_number }
    })
  }

  /** Counts payments and moves the shard on, both or neither. */
  commit(payments: readonly Payment[], { shardId, position, previous, fencingToken }: Step): void {
    this.#transact(() => {
      const { changes } = this.#statements.move.run(
        ...[position.sequenceNumber, position.subSequenceNumber, shardId, fencingToken],
        ...[previous?.sequenceNumber ?? null, previous?.subSequenceNumber ?? null]
      )
      if (changes === 0) throw this.#refusal(shardId, fencingToken)
      this.#count(payments)
    })
  }

  /** Counts payments, and says nothing of where they came from: what happens without this example. */
  commitAlone(payments: readonly Payment[]): void {
    this.#transact(() => this.#count(payments))
  }

  totals(): Total[] {
    return this.#db.prepare('SELECT account, payments, amount FROM totals').all() as Total[]
  }

  /** How often each payment was counted. */
  timesCounted(): { id: number; times: number }[] {
    return this.#db.prepare('SELECT id, count(*) AS times FROM counted GROUP BY id').all() as never
  }

  /** How many payments were counted at least once. */
  countedIds(): number {
    return (this.#db.prepare('SELECT count(DISTINCT id) AS n FROM counted').get() as { n: number }).n
  }

  close(): void {
    this.#db.close()
  }

  #count(payments: readonly Payment[]): void {
    for (const { id, account, amount } of payments) {
      this.#statements.count.run(account, amount)
      this.#statements.add.run(id)
    }
  }

  /** Begins with a lock for writing: what is read under it stays true until the commit. */
  #transact<T>(work: () => T): T {
    return this.#db.transaction(work).immediate()
  }

  #refusal(shardId: string, fencingToken: number): Error {
    const { token } = this.#statements.read.get(shardId) as { token: number }
    if (token > fencingToken) return new LeaseLostError(shardId, `a later owner, ${token}, has begun`)
    return new Error(`${shardId} is somewhere else in the database than was thought`)
  }
}
