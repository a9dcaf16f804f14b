import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test, { type TestContext } from 'node:test';
import { digestOf } from '../oci/index.ts';
import { type JournalQuery, type JournalRow, openMetadata } from './index.ts';
import { migrations } from './schema.ts';

function databasePath(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-metadata-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return join(directory, 'gantry.db');
}

const entry = { type: 'container', action: 'create', id: 'c1', attributes: { name: 'x' } } as const;

test('transact() tells listeners of journal rows after the commit, and of none when it throws', async (t) => {
  await using metadata = openMetadata(databasePath(t));
  const heard: JournalRow[] = [];
  using _subscription = metadata.journal.subscribe((row) => heard.push(row));
  metadata.transact((transaction) => {
    transaction.record(entry);
    assert.equal(heard.length, 0);
  });
  assert.deepEqual(
    heard.map((row) => row.action),
    ['create'],
  );
  assert.throws(() =>
    metadata.transact((transaction) => {
      transaction.record({ ...entry, action: 'destroy' });
      throw new Error('no');
    }),
  );
  assert.equal(heard.length, 1);
  assert.equal([...metadata.journal.read({})].length, 1);
});

test('root alone reads the database and its log, whatever they were', async (t) => {
  const path = databasePath(t);
  await openMetadata(path)[Symbol.asyncDispose]();
  chmodSync(path, 0o644);
  await using _metadata = openMetadata(path);
  for (const file of [path, `${path}-wal`, `${path}-shm`])
    assert.equal(statSync(file).mode & 0o777, 0o600, file);
});

test('journal cursors go on after a restart', async (t) => {
  const path = databasePath(t);
  let first: number;
  {
    await using metadata = openMetadata(path);
    metadata.transact((transaction) => transaction.record(entry));
    first = [...metadata.journal.read({})][0]?.cursor ?? 0;
  }
  await using metadata = openMetadata(path);
  metadata.transact((transaction) => transaction.record({ ...entry, action: 'start' }));
  const rows = [...metadata.journal.read({ afterCursor: first })];
  assert.deepEqual(
    rows.map((row) => row.action),
    ['start'],
  );
  assert.deepEqual(rows[0]?.attributes, { name: 'x' });
});

test('a lease holds its resources until it is disposed', async (t) => {
  await using metadata = openMetadata(databasePath(t));
  const id = digestOf('blob');
  {
    using lease = metadata.leases.acquire();
    lease.add({ kind: 'blob', id });
    assert.deepEqual({ ...metadata.leases.held()[0] }, { kind: 'blob', id });
  }
  assert.deepEqual(metadata.leases.held(), []);
});

test('a lease lasts as long as its work, one with a name until its time', async (t) => {
  t.mock.timers.enable({ apis: ['Date'] });
  await using metadata = openMetadata(databasePath(t));
  using lease = metadata.leases.acquire();
  lease.add({ kind: 'snapshot', id: 'x' });
  metadata.leases.acquire({ name: 'pull/y', ttlMs: 86_400_000 }).add({ kind: 'snapshot', id: 'y' });
  t.mock.timers.tick(86_400_000);
  // A new one drops those whose time is over.
  metadata.leases.acquire()[Symbol.dispose]();
  lease.add({ kind: 'snapshot', id: 'z' });
  assert.deepEqual(
    metadata.leases.held().map(({ id }) => id),
    ['x', 'z'],
  );
});

test('endAll() ends the leases that a killed engine left', async (t) => {
  const path = databasePath(t);
  {
    await using killed = openMetadata(path);
    killed.leases.acquire().add({ kind: 'snapshot', id: 'x' });
  }
  await using metadata = openMetadata(path);
  assert.equal(metadata.leases.held().length, 1);
  metadata.leases.endAll();
  assert.deepEqual(metadata.leases.held(), []);
});

test('the journal drops its oldest rows as it grows', async () => {
  await using metadata = openMetadata(':memory:', { journalRows: 300 });
  const { journal } = metadata;
  for (let round = 0; round < 13; round += 1) {
    metadata.transact((change) => {
      for (let n = 0; n < 100; n += 1) change.record(entry);
    });
    assert.ok([...journal.read({})].length <= 400);
  }
  const cursors = [...journal.read({})].map(({ cursor }) => cursor);
  assert.deepEqual([cursors[0], cursors.at(-1), journal.last()], [1001, 1300, 1300]);
  assert.deepEqual(
    [999, 1000, 1300].map((cursor) => journal.reachesBackTo(cursor)),
    [false, true, true],
  );
});

test('journal rows are read from a cursor and a time on, as many as are asked for', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1000 });
  await using metadata = openMetadata(':memory:');
  for (let n = 0; n < 6; n += 1) {
    metadata.transact((change) => change.record(entry));
    t.mock.timers.tick(1000);
  }
  const read = (query: JournalQuery) => [...metadata.journal.read(query)].map(({ cursor }) => cursor);
  const nano = (seconds: number) => BigInt(seconds) * 1_000_000_000n;
  assert.deepEqual(read({ afterCursor: 3 }), [4, 5, 6]);
  assert.deepEqual(read({ afterCursor: 1, limit: 2 }), [2, 3]);
  assert.deepEqual(read({ sinceNano: nano(3), untilNano: nano(5) }), [3, 4, 5]);
  assert.deepEqual(read({ sinceNano: nano(3), afterCursor: 4 }), [5, 6]);
  assert.deepEqual(read({ sinceNano: nano(7) }), []);
});

test('a journal row has the time of the clock, also once that was set', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 3_600_000 });
  await using metadata = openMetadata(':memory:');
  metadata.transact((change) => change.record(entry));
  const [row] = [...metadata.journal.read({})];
  assert.equal(row?.timeNano, BigInt(Date.now()) * 1_000_000n);
});

test('openMetadata() drops records of the build cache that older versions kept longer than their images', async (t) => {
  const path = databasePath(t);
  {
    using db = new DatabaseSync(path);
    for (const sql of migrations.slice(0, 6)) db.exec(sql);
    db.exec("INSERT INTO images VALUES ('here', '', '', '', NULL, 0, 0, NULL)");
    const insert = db.prepare("INSERT INTO build_cache VALUES (?, ?, NULL, '', '', 0, 0, 0, 0)");
    for (const image of ['here', 'gone']) insert.run(`of ${image}`, image);
    db.exec('PRAGMA user_version = 6');
  }
  await using metadata = openMetadata(path);
  const left = metadata.db.prepare('SELECT key FROM build_cache').all();
  assert.deepEqual(
    left.map(({ key }) => key),
    ['of here'],
  );
});

test('a journal row has a time of its own, exact in JSON, also over a restart and a small step back', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: 1_764_273_398_123 });
  const file = databasePath(t);
  const times: bigint[] = [];
  const append = async (setTo: number) => {
    t.mock.timers.setTime(setTo);
    await using metadata = openMetadata(file);
    metadata.transact((change) => {
      for (let n = 0; n < 3; n += 1) change.record(entry);
    });
    const rows = [...metadata.journal.read({})].slice(-3);
    times.push(...rows.map(({ timeNano }) => timeNano));
    const [first, second, third] = rows;
    const rest = [...metadata.journal.read({ sinceNano: (first?.timeNano ?? 0n) + 1n })];
    assert.deepEqual(rest, [second, third]);
  };
  await append(1_764_273_398_123);
  await append(1_764_273_398_123);
  await append(1_764_273_398_000);
  const first = 1_764_273_398_123_000_000n;
  assert.deepEqual(
    times,
    times.map((_, n) => first + BigInt(n) * 1000n),
  );
  for (const time of times) assert.equal(JSON.stringify(Number(time)), String(time));
  t.mock.timers.setTime(1_764_270_000_000);
  await using metadata = openMetadata(file);
  metadata.transact((change) => change.record(entry));
  assert.equal([...metadata.journal.read({})].at(-1)?.timeNano, 1_764_270_000_000_000_000n);
});
