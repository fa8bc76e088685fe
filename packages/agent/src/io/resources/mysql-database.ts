import { createHash } from 'node:crypto';
import type { ResourceOf } from '@silverlining/protocol';
import { exec } from '@silverlining/system';
import {
  databaseDifferences,
  databaseSql,
  INSPECT_SQL,
  MYSQL_ARGV,
  type MysqlState,
  parseMysqlState,
} from '../../core/converge/mysql.ts';
import type { Executor, StateFile } from '../../ports.ts';
import type { Observations } from './observations.ts';

/** SHA-256 of the password last set for each `DATABASE USER`: the server stores no form that could be compared. */
export type PasswordMarks = Record<string, string>;

type Wanted = ResourceOf<'mysql-database'>;

export function mysqlDatabaseExecutor(node: Observations, marks: StateFile<PasswordMarks>): Executor<'mysql-database'> {
  let state: Promise<MysqlState> | undefined;
  const inspect = () => (state ??= mysql(INSPECT_SQL, node).then(parseMysqlState));
  return {
    async check(wanted) {
      const known = (await marks.read())[markKey(wanted)] === markOf(wanted);
      // Before the server's package is there and runs, everything is still to be made.
      const found = await inspect().catch(() => undefined);
      if (found === undefined) {
        state = undefined;
        return 'the database server does not answer yet';
      }
      const differences = databaseDifferences(wanted, found, known);
      return differences.length === 0 ? undefined : differences.join('; ');
    },
    async apply(wanted) {
      const sql = databaseSql(wanted, await inspect());
      state = undefined;
      await mysql(sql, node);
      await marks.write({ ...(await marks.read()), [markKey(wanted)]: markOf(wanted) });
      return {};
    },
  };
}

async function mysql(sql: string, node: Observations): Promise<string> {
  const { stdout } = await exec(MYSQL_ARGV, {
    signal: node.signal,
    input: sql,
    code: 'E_RESOURCE',
    maxOutput: 8 << 20,
  });
  return stdout;
}

function markKey(wanted: Wanted): string {
  return `${wanted.database} ${wanted.user}`;
}

/** Hosts are part of it: an account made for a new host needs the password set there too. */
function markOf(wanted: Wanted): string {
  return createHash('sha256')
    .update(`${wanted.password}\n${wanted.hosts.join(',')}`)
    .digest('hex');
}
