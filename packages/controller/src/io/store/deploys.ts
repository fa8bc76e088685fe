import { SlError } from '@silverlining/protocol';
import { surplusDeploys } from '../../core/release/surplus-deploys.ts';
import type { CommitDecision, DeployRow, SetRecord, Store, Timeline } from '../../ports.ts';
import type { Database, Row } from './database.ts';
import { deployHead, deployRow, parseRow, timelineRow } from './rows.ts';
import { noSet } from './sets.ts';

const COLUMNS = 'id, set_name, app, instance, state, record, started_at';
const PUT = `INSERT INTO deploys (${COLUMNS}, timeline) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (id) DO UPDATE SET set_name = excluded.set_name, app = excluded.app, instance = excluded.instance,
    state = excluded.state, record = excluded.record, started_at = excluded.started_at,
    timeline = coalesce(excluded.timeline, timeline)`;

export function deploysTable(
  db: Database,
): Pick<Store, 'deploys' | 'deploy' | 'putDeploy' | 'changeDeploys' | 'addToTimeline' | 'commit'> {
  const where = { file: db.file, table: 'deploys' };
  const allOf = (set: string): DeployRow[] => {
    // As they were made: the clock may have been set back between two of them.
    const rows = db.all(`SELECT ${COLUMNS} FROM deploys WHERE set_name = ? ORDER BY rowid`, set);
    return rows.map((row) => parseRow(deployRow, row, where));
  };
  const put = ({ id, set, app, instance, state, record, startedAt }: DeployRow): void => {
    const { timeline, ...rest } = record;
    const happened = timeline === undefined ? null : JSON.stringify(timeline);
    db.run(PUT, id, set, app, instance, state, JSON.stringify(rest), startedAt, happened);
  };
  const timelineOf = (row: Row): Timeline | undefined => parseRow(timelineRow, row, where).timeline;
  return {
    deploys: async (set) => allOf(set),
    async deploy(id) {
      const row = db.get('SELECT * FROM deploys WHERE id = ?', id);
      if (row === undefined) return undefined;
      const { record, ...rest } = parseRow(deployRow, row, where);
      const timeline = timelineOf(row);
      return { ...rest, record: timeline === undefined ? record : { ...record, timeline } };
    },
    async putDeploy(row) {
      db.transaction(() => {
        const isNew = db.get('SELECT 1 FROM deploys WHERE id = ?', row.id) === undefined;
        put(row);
        if (isNew) forgetOld(db, where, row);
      });
    },
    changeDeploys: async (set, change) => db.transaction(() => change(allOf(set)).forEach(put)),
    addToTimeline: async (id, happenings) =>
      db.transaction(() => {
        const row = db.get('SELECT timeline FROM deploys WHERE id = ?', id);
        if (row === undefined) return;
        const timeline = JSON.stringify([...(timelineOf(row) ?? []), ...happenings]);
        db.run('UPDATE deploys SET timeline = ? WHERE id = ?', timeline, id);
      }),
    commit: async (decision) => db.transaction(() => commit(db, decision)),
  };
}

const OF_APP = `SELECT id, instance, state FROM deploys WHERE set_name = ? AND app = ? ORDER BY rowid`;

function forgetOld(
  db: Database,
  where: { file: string; table: string },
  { set, app }: Pick<DeployRow, 'set' | 'app'>,
): void {
  const rows = db.all(OF_APP, set, app).map((row) => parseRow(deployHead, row, where));
  const there = db.all('SELECT instance FROM releases WHERE set_name = ? AND app = ?', set, app);
  const gone = surplusDeploys(rows, new Set(there.map((it) => String(it.instance))));
  for (const id of gone) db.run('DELETE FROM deploys WHERE id = ?', id);
}

function commit(db: Database, { set, token, active, deploys, now }: CommitDecision): number {
  const lease = db.get('SELECT token FROM leases WHERE set_name = ?', set);
  if (lease?.token !== token) throw staleLease(set);
  const before = db.get('SELECT active FROM sets WHERE name = ?', set);
  if (before === undefined) throw noSet(set);
  const at = afterAll(db, set, now);
  for (const instance of newlyActive(String(before.active), active)) {
    db.run('UPDATE releases SET committed_at = ? WHERE set_name = ? AND instance = ?', at, set, instance);
  }
  for (const id of deploys) {
    const sql = `UPDATE deploys SET state = 'committed' WHERE id = ? AND set_name = ? AND state <> 'ended'`;
    if (db.run(sql, id, set) === 0) throw endedDeploy(id);
  }
  db.run('UPDATE sets SET active = ? WHERE name = ?', JSON.stringify(active), set);
  db.run('UPDATE fences SET epoch = max(epoch, heard) + 1, committed = 1 WHERE set_name = ?', set);
  return Number(db.get('SELECT epoch FROM fences WHERE set_name = ?', set)?.epoch);
}

/** Releases are gone back to, and forgotten, in the order of their commits: one that is newer is later, also where the clock was set back. */
function afterAll(db: Database, set: string, now: number): number {
  const newest = db.get('SELECT max(committed_at) AS at FROM releases WHERE set_name = ?', set)?.at ?? null;
  return newest === null ? now : Math.max(now, Number(newest) + 1);
}

function newlyActive(before: string, after: SetRecord['active']): string[] {
  const old = new Set<unknown>(Object.values(JSON.parse(before)));
  return Object.values(after).filter((instance) => !old.has(instance));
}

/** E_CONFLICT for a decision under a lease that is not held any more. */
function staleLease(set: string): SlError {
  const message = `the lease on set ${set} was lost, so nothing was committed; look at what is running with sl status`;
  return new SlError('E_CONFLICT', message);
}

/** E_CONFLICT for a decision on a deploy that has ended or was never journalled: no row, no switch. */
function endedDeploy(id: string): SlError {
  return new SlError('E_CONFLICT', `deploy ${id} has ended or is not known, so nothing was committed`);
}
