import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test, { type TestContext } from 'node:test';
import { openMetadata } from './index.ts';

const fixture = join(import.meta.dirname, '../../test/fixtures/metadata/version-1.sql');

/** A database that these statements made. */
function databaseOf(t: TestContext, sql: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-metadata-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'gantry.db');
  const db = new DatabaseSync(path);
  db.exec(sql);
  db.close();
  return path;
}

/** The first row of a table. */
function row(db: DatabaseSync, table: string) {
  const statement = db.prepare(`SELECT * FROM ${table}`);
  statement.setReadBigInts(true);
  return { ...statement.get() };
}

test('openMetadata() brings a database of schema 1 to the newest, with all its rows', async (t) => {
  const path = databaseOf(t, readFileSync(fixture, 'utf8'));
  const old = new DatabaseSync(path);
  const named = old.prepare(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
  );
  const tables = named.all().map(({ name }) => String(name));
  const before = new Map(tables.map((table) => [table, row(old, table)]));
  old.close();

  for (const time of ['first', 'second']) {
    await using metadata = openMetadata(path);
    const { db } = metadata;
    const seen = new Map(tables.map((table) => [table, row(db, table)]));
    const { seeded: _seeded, ...volume } = before.get('volumes') ?? {};
    const expected = new Map([
      ...before,
      ['volumes', volume],
      ['leases', { ...before.get('leases'), named: 0n }],
      // An image of an earlier build may be what was asked for.
      ['build_cache', { ...before.get('build_cache'), is_result: 1n }],
    ]);
    assert.deepEqual(seen, expected, time);
    assert.deepEqual(db.prepare('PRAGMA foreign_key_check').all(), []);
    for (const table of ['container_runs', 'compressed_layers', 'prune_plans'])
      assert.deepEqual(row(db, table), {});
  }
});

test('openMetadata() refuses a database of a newer Gantry, and changes nothing in it', (t) => {
  const path = databaseOf(t, 'CREATE TABLE later (id TEXT); PRAGMA user_version = 999');
  assert.throws(() => openMetadata(path), {
    code: 'internal',
    message: `${path} was written by a newer Gantry (schema 999): upgrade this one`,
  });
  const db = new DatabaseSync(path);
  assert.deepEqual(row(db, 'sqlite_schema')['name'], 'later');
  assert.deepEqual(row(db, 'pragma_user_version'), { user_version: 999n });
  db.close();
});
