import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { storeError } from './store-error.ts';

export type Row = Record<string, SQLOutputValue>;

/** Milliseconds to wait for a controller that is just closing the store. */
const BUSY_TIMEOUT = 1_000;

/** A SQLite connection whose commits are on disk when they return, and whose errors are E_STORE. */
export class Database {
  readonly file: string;
  /** Whether there is more than in the last copy of it: what a power cut may undo is not worth one. */
  isChanged = true;
  #isRelaxed = false;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** Opens the file for this process alone: two controllers on one store would both think that they decide. */
  constructor(file: string, timeout = BUSY_TIMEOUT) {
    this.file = file;
    this.#db = this.#guard(() => new DatabaseSync(file, { timeout, enableForeignKeyConstraints: true }));
    try {
      this.exec('PRAGMA locking_mode = EXCLUSIVE');
      this.exec('PRAGMA journal_mode = WAL');
      // With NORMAL a committed row can vanish on power loss.
      this.exec('PRAGMA synchronous = FULL');
      // What is deleted is overwritten: the passwords of a set that is gone are not left in free pages.
      this.exec('PRAGMA secure_delete = ON');
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#guard(() => this.#statement(sql).get(...values));
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#guard(() => this.#statement(sql).all(...values));
  }

  /** Returns the number of rows that it changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    if (!this.#isRelaxed) this.isChanged = true;
    return this.#guard(() => Number(this.#statement(sql).run(...values).changes));
  }

  /** Statements that are run once, without values. */
  exec(sql: string): void {
    this.#guard(() => this.#db.exec(sql));
  }

  /** All of it or nothing. `work` is synchronous, so that nothing else of this process comes between. */
  transaction<T>(work: () => T): T {
    this.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /** For writes that a power cut may undo: without waiting for the disk. The file stays sound all the same. */
  relaxed(work: () => void): void {
    this.exec('PRAGMA synchronous = NORMAL');
    this.#isRelaxed = true;
    try {
      work();
    } finally {
      this.#isRelaxed = false;
      this.exec('PRAGMA synchronous = FULL');
    }
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw storeError(error, this.file);
    }
  }
}
