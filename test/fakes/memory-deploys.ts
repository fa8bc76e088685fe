/** The deploys of a store in memory, and its commits. */
import { surplusDeploys } from '../../packages/controller/src/core/release/surplus-deploys.ts';
import type { CommitDecision, DeployRow, Store } from '../../packages/controller/src/ports.ts';
import { SlError } from '../../packages/protocol/src/index.ts';
import { kept } from './kept.ts';
import { need, type Tables } from './memory-tables.ts';

export function deploys(
  tables: Tables,
): Pick<Store, 'deploys' | 'deploy' | 'putDeploy' | 'changeDeploys' | 'addToTimeline' | 'commit'> {
  const put = (row: DeployRow) => {
    const timeline = row.record.timeline ?? tables.deploys.get(row.id)?.record.timeline;
    tables.deploys.set(row.id, kept(timeline === undefined ? row : { ...row, record: { ...row.record, timeline } }));
  };
  return {
    deploys: async (set) => deploysOf(tables, set),
    deploy: async (id) => tables.deploys.get(id),
    async putDeploy(deploy) {
      need(tables, deploy.set);
      const isNew = !tables.deploys.has(deploy.id);
      put(deploy);
      if (isNew) forgetOld(tables, deploy);
    },
    async changeDeploys(set, change) {
      change(deploysOf(tables, set)).forEach(put);
    },
    async addToTimeline(id, happenings) {
      const row = tables.deploys.get(id);
      const timeline = [...(row?.record.timeline ?? []), ...happenings];
      if (row !== undefined) put({ ...row, record: { ...row.record, timeline } });
    },
    commit: async (decision) => commit(tables, decision),
  };
}

export function deploysOf({ deploys }: Tables, set: string): DeployRow[] {
  const ofSet = [...deploys.values()].filter((it) => it.set === set);
  return ofSet.map(({ record: { timeline: _, ...record }, ...row }) => ({ ...row, record }));
}

function forgetOld(tables: Tables, { set, app }: DeployRow): void {
  const oldestFirst = deploysOf(tables, set).filter((it) => it.app === app);
  const releases = tables.releases.filter((it) => it.set === set && it.app === app).map((it) => it.instance);
  for (const id of surplusDeploys(oldestFirst, new Set(releases))) tables.deploys.delete(id);
}

function commit(tables: Tables, { set, token, active, deploys, now }: CommitDecision): number {
  const fence = tables.fences.get(set);
  if (fence === undefined || tables.leases.get(set)?.token !== token) {
    throw new SlError('E_CONFLICT', `the lease on set ${set} was lost, so nothing was committed`);
  }
  const row = need(tables, set);
  const rows = deploys.map((id) => {
    const deploy = tables.deploys.get(id);
    if (deploy?.set === set && deploy.state !== 'ended') return deploy;
    throw new SlError('E_CONFLICT', `deploy ${id} has ended or is not known, so nothing was committed`);
  });
  for (const deploy of rows) tables.deploys.set(deploy.id, { ...deploy, state: 'committed' });
  const before = Object.values(row.active);
  const earlier = tables.releases.flatMap((it) => (it.set === set ? (it.committedAt ?? []) : []));
  const at = Math.max(now, ...earlier.map((it) => it + 1));
  tables.releases = tables.releases.map((release) => {
    const isActive = release.set === set && Object.values(active).includes(release.instance);
    return isActive && !before.includes(release.instance) ? { ...release, committedAt: at } : release;
  });
  tables.sets.set(set, { ...row, active: kept(active) });
  const epoch = Math.max(fence.epoch, fence.heardEpoch) + 1;
  tables.fences.set(set, { ...fence, epoch, committed: true });
  return epoch;
}
