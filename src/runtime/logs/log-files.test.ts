import assert from 'node:assert/strict';
import { appendFile, link, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, type TestContext, test } from 'node:test';
import { createLogFiles, createLogReader, type LogFileIdentity } from '../index.ts';

/** A record of 100 bytes. */
function record(n: number): string {
  const head = '2026-01-31T12:00:00.123456789+00:00 stdout F ';
  return `${head}${String(n).padStart(99 - head.length, ' ')}\n`;
}

function records(first: number, count: number): string {
  return Array.from({ length: count }, (_, n) => record(first + n)).join('');
}

/** What conmon does when it is asked. */
async function reopen({ path }: LogFileIdentity): Promise<void> {
  await writeFile(`${path}.tmp`, '');
  await rename(`${path}.tmp`, path);
}

describe('createLogFiles()', () => {
  let directory: string;
  let path: string;
  const never = new AbortController().signal;

  beforeEach(async (t) => {
    directory = await mkdtemp(join(tmpdir(), 'log-files-'));
    path = join(directory, 'container.log');
    (t as TestContext).after(() => rm(directory, { recursive: true, force: true }));
  });

  const names = async () => (await readdir(directory)).sort();

  async function numbers(): Promise<number[]> {
    const found: number[] = [];
    for await (const some of createLogReader().read(path, { stdout: true, stderr: true }))
      found.push(...some.map(({ data }) => Number(data.toString())));
    return found;
  }

  test('rotate() and trim() keep the newest files', async () => {
    const files = createLogFiles({ path, limits: { maxBytes: 1000, maxFiles: 3, compress: false } });
    await files.rotate(reopen);
    assert.deepEqual(await names(), [], 'there is no log yet');
    await writeFile(path, '');
    for (let n = 0; n < 5; n += 1) {
      await appendFile(path, records(n * 10, 10));
      await files.rotate(reopen);
      await files.trim();
    }
    assert.deepEqual(await names(), ['container.log', 'container.log.4', 'container.log.5']);
    assert.deepEqual(
      await numbers(),
      Array.from({ length: 20 }, (_, n) => 30 + n),
    );
  });

  test('with one file a full one is dropped', async () => {
    const files = createLogFiles({ path, limits: { maxBytes: 1000, maxFiles: 1, compress: false } });
    await writeFile(path, records(0, 10));
    await files.rotate(reopen);
    await files.trim();
    assert.deepEqual(await names(), ['container.log']);
    assert.equal((await stat(path)).size, 0);
  });

  test('compress() puts gzipped files in the place of rotated ones, with their times', async () => {
    const files = createLogFiles({ path, limits: { maxBytes: 1000, maxFiles: 3, compress: true } });
    await writeFile(path, records(0, 10));
    const { mtimeNs } = await stat(path, { bigint: true });
    await files.rotate(reopen);
    await writeFile(join(directory, 'container.log.7.gz.tmp'), 'left by a killed engine');
    await files.compress(never);
    assert.deepEqual(await names(), ['container.log', 'container.log.1.gz']);
    assert.equal((await stat(join(directory, 'container.log.1.gz'), { bigint: true })).mtimeNs, mtimeNs);
    assert.deepEqual(await numbers(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('a rotation that a killed engine began is finished', async () => {
    const files = createLogFiles({ path, limits: { maxBytes: 1000, maxFiles: 3, compress: true } });
    await writeFile(path, records(0, 10));
    await link(path, `${path}.1`);
    // Still written to: neither compressed nor trimmed.
    await files.trim();
    await files.compress(never);
    assert.deepEqual(await names(), ['container.log', 'container.log.1']);
    await appendFile(path, records(10, 2));
    await files.rotate(reopen);
    assert.deepEqual(await names(), ['container.log', 'container.log.1']);
    assert.deepEqual(
      await numbers(),
      Array.from({ length: 12 }, (_, n) => n),
    );
  });

  test('a log that grew beyond its limits keeps its newest output', async () => {
    const limits = { maxBytes: 100_000, maxFiles: 3, compress: true };
    const files = createLogFiles({ path, limits });
    await writeFile(path, records(0, 10_000));
    await files.trim();
    assert.ok((await stat(path)).blocks * 512 <= 310_000);
    assert.deepEqual(
      await numbers(),
      Array.from({ length: 2999 }, (_, n) => 7001 + n),
    );
    await files.rotate(reopen);
    await files.trim();
    await files.compress(never);
    assert.deepEqual(await names(), ['container.log', 'container.log.1']);
    assert.ok((await stat(`${path}.1`)).blocks * 512 <= 210_000);
    assert.deepEqual(
      await numbers(),
      Array.from({ length: 1999 }, (_, n) => 8001 + n),
    );
    assert.equal((await readFile(`${path}.1`)).length, 1_000_000);
  });

  test('what grew after a rotation takes the place of the rotated files', async () => {
    const files = createLogFiles({ path, limits: { maxBytes: 100_000, maxFiles: 3, compress: false } });
    await writeFile(path, '');
    for (const first of [0, 1000]) {
      await appendFile(path, records(first, 1000));
      await files.rotate(reopen);
    }
    await appendFile(path, records(2000, 2500));
    await files.trim();
    assert.deepEqual(await names(), ['container.log', 'container.log.2']);
    const kept = await Promise.all((await names()).map((name) => stat(join(directory, name))));
    assert.ok(kept.reduce((bytes, { blocks }) => bytes + blocks * 512, 0) <= 320_000);
    assert.deepEqual(
      await numbers(),
      Array.from({ length: 2999 }, (_, n) => 1501 + n),
    );
  });
});
