import type { Store } from '../../ports.ts';
import { deploysTable } from './deploys.ts';
import { leasesTable } from './leases.ts';
import { nodesTable } from './nodes.ts';
import { backUpWhenOld, type OpenOptions, openDatabase } from './open-database.ts';
import { releasesTable } from './releases.ts';
import { secretsTable } from './secrets.ts';
import { setsTable } from './sets.ts';

export interface StoreOnDisk extends Store {
  /** Sees to it that the copy to restore from is not much older than an hour. Nothing else goes on while it is made. */
  backUp(): void;
}

/**
 * Opens the store in a SQLite file, made when there is none, for this process alone. E_STORE when it is damaged (with
 * how to restore it), open in another controller, or written by a newer version.
 */
export function openStore(file: string, options: OpenOptions = {}): StoreOnDisk {
  const db = openDatabase(file, options);
  return {
    ...setsTable(db),
    ...nodesTable(db),
    ...releasesTable(db),
    ...deploysTable(db),
    ...leasesTable(db),
    ...secretsTable(db),
    backUp: () => backUpWhenOld(db, options.warn ?? (() => undefined)),
    close: () => db.close(),
  };
}
