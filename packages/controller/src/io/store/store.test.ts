import { chmod, mkdtemp, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { memoryStore } from '../../../../../test/fakes/memory-store.ts';
import { storeContract } from './contract.ts';
import { deploy, nodeRecord, release, serverSet } from './contract-records.ts';
import { Database } from './database.ts';
import { openStore } from './store.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sl-store-'));
});
afterAll(() => rm(directory, { recursive: true }));
let count = 0;
const newFile = () => join(directory, `state${++count}`, 'store.db');

describe('the store on disk', () => storeContract(() => openStore(newFile())));
describe('the store in memory', () => storeContract(memoryStore));

describe('openStore', () => {
  let file: string;
  beforeEach(async () => {
    file = newFile();
    const store = openStore(file);
    await store.putSet('demo', serverSet('demo'));
    await store.putNode(nodeRecord('demo', 'n1'));
    store.close();
  });
  afterEach(() => rm(join(file, '..'), { recursive: true }));

  it('keeps what was written, and lets nobody else read it', async () => {
    await chmod(file, 0o644);
    const store = openStore(file);
    expect(await store.nodes('demo')).toEqual([nodeRecord('demo', 'n1')]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(`${file}-wal`).catch(() => stat(file))).mode & 0o777).toBe(0o600);
    expect((await stat(`${file}.backup`)).mode & 0o777).toBe(0o600);
    expect((await stat(join(file, '..'))).mode & 0o777).toBe(0o700);
    store.close();
  });

  it('is copied while it is open, too, when the copy is old and there is more by now', async () => {
    const backup = `${file}.backup`;
    const store = openStore(file);
    const makeOld = () => utimes(backup, 1000, 1000);
    const isOld = async () => (await stat(backup)).mtimeMs === 1_000_000;
    await makeOld();
    await store.touchNodes([{ uuid: 'n1', lastSeen: 5 }]);
    store.backUp();
    expect(await isOld()).toBe(true);
    await store.putNode(nodeRecord('demo', 'n2'));
    store.backUp();
    expect(await isOld()).toBe(false);
    store.backUp();
    store.close();
    await writeFile(file, await readFile(backup));
    const restored = openStore(file);
    expect(await restored.nodes('demo')).toHaveLength(2);
    restored.close();
  });

  it('has nothing that names a set once it is gone, not even in free pages', async () => {
    const store = openStore(file);
    await store.acquireLease('demo', 'bob', 'op1', 1000);
    await store.secret('demo', 'mysql:password', () => 'canary');
    await store.deleteSet('demo');
    await store.releaseLease('demo', 1);
    store.close();
    expect((await readFile(file)).toString('latin1')).not.toMatch(/demo|canary/);
  });

  it('refuses a store that another controller has open', () => {
    const store = openStore(file);
    expect(() => openStore(file, { busyTimeout: 10 })).toThrow(/in use by another controller/);
    store.close();
  });

  it.each([
    ['emptied', () => truncate(file, 0)],
    ['cut off', async () => truncate(file, (await stat(file)).size - 4096)],
    ['not a database', () => writeFile(file, 'hello '.repeat(1000))],
    ['overwritten in the middle', () => overwrite(file)],
  ])('refuses one that is %s, and says how to restore it', async (_name, damage) => {
    openStore(file).close();
    await damage();
    const damaged = await readFile(file);
    expect(() => openStore(file)).toThrow(expect.objectContaining({ code: 'E_STORE' }));
    expect(() => openStore(file)).toThrow(`cp -p ${file}.backup ${file}`);
    expect(damaged.equals(await readFile(file))).toBe(true);
    await writeFile(file, await readFile(`${file}.backup`));
    const store = openStore(file);
    expect(await store.nodes('demo')).toHaveLength(1);
    store.close();
  });

  it('takes over deploys of an earlier version, with what happened in them', async () => {
    const timeline = [{ node: 'app1', event: 'staged', ms: 1.5 }];
    const rows = [timeline, undefined].map((it, i) => {
      const row = deploy('demo', `d${i}`, 'blog.20260131_001');
      return it === undefined ? row : { ...row, record: { ...row.record, timeline: it } };
    });
    const columns = ['deploys DROP COLUMN timeline', 'nodes DROP COLUMN told', 'manifests DROP COLUMN text'];
    edit(file, `${columns.map((it) => `ALTER TABLE ${it};`).join('')} PRAGMA user_version = 3`);
    for (const { id, set, app, instance, state, record, startedAt } of rows) {
      const values = [id, set, app, instance, state, JSON.stringify(record)].map((it) => `'${it}'`);
      edit(file, `INSERT INTO deploys VALUES (${values}, ${startedAt})`);
    }
    const store = openStore(file);
    expect(await Promise.all(rows.map(({ id }) => store.deploy(id)))).toEqual(rows);
    expect((await store.deploys('demo')).map((it) => it.record.timeline)).toEqual([undefined, undefined]);
    store.close();
  });

  it('reads manifests of an earlier version, which are JSON', async () => {
    const before = release('demo', 'blog.20260131_001');
    let store = openStore(file);
    await store.putRelease(before);
    store.close();
    edit(file, `UPDATE manifests SET text = NULL, body = '${JSON.stringify(before.manifest)}'`);
    store = openStore(file);
    expect(await store.release('demo', before.instance)).toEqual(before);
    store.close();
  });

  it.each([`'x'`, `replace(text, '644', '777')`])('refuses a manifest that became %s', async (text) => {
    let store = openStore(file);
    await store.putRelease(release('demo', 'blog.20260131_001'));
    store.close();
    edit(file, `UPDATE manifests SET text = CAST(${text} AS BLOB)`);
    store = openStore(file);
    await expect(store.release('demo', 'blog.20260131_001')).rejects.toMatchObject({
      code: 'E_STORE',
      message: expect.stringContaining('a row of manifests'),
    });
    store.close();
  });

  it('refuses one of a newer version', () => {
    edit(file, 'PRAGMA user_version = 99');
    expect(() => openStore(file)).toThrow(/version 99, written by a newer/);
  });

  it('refuses a row that no version wrote, and names the table', async () => {
    edit(file, `UPDATE nodes SET roles = '["root"]'`);
    const store = openStore(file);
    await expect(store.nodes('demo')).rejects.toMatchObject({
      code: 'E_STORE',
      message: expect.stringContaining('a row of nodes'),
    });
    store.close();
  });

  it('says so when the disk is full, and keeps what was there', () => {
    const db = new Database(file);
    db.exec(`PRAGMA max_page_count = ${Number(db.get('PRAGMA page_count')?.page_count)}`);
    const insert = () => db.run('INSERT INTO manifests (digest, body) VALUES (?, ?)', 'd', 'x'.repeat(100_000));
    expect(() => db.transaction(insert)).toThrow(expect.objectContaining({ code: 'E_STORE' }));
    expect(() => db.transaction(insert)).toThrow(/no space is left to write .*store\.db/);
    expect(db.all('SELECT name FROM sets')).toHaveLength(1);
    db.close();
  });
});

function edit(file: string, sql: string): void {
  const db = new DatabaseSync(file);
  db.exec(sql);
  db.close();
}

async function overwrite(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes.fill(0xff, 4096 + 8, 12 * 4096);
  await writeFile(file, bytes);
}
