import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Backlog } from './backlog.ts';
import { type OutputChunk, OutputQueue } from './output-queue.ts';

const chunkBytes = 64 << 10;

function chunk(index: number): OutputChunk {
  return { stream: index % 3 === 0 ? 'stderr' : 'stdout', data: Buffer.alloc(chunkBytes, index) };
}

test('a queue gives what came in its order, from memory, from its backlog and from behind a full one', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'queue-'));
  t.after(() => {
    rmSync(directory, { recursive: true });
  });
  let paused = false;
  const queue = new OutputQueue({ pause: () => (paused = true), resume: () => (paused = false) });
  let next = 0;
  const pushUntilPaused = () => {
    for (const first = next; !paused; next += 1) {
      assert.ok(next < first + 100, 'it never said stop');
      queue.push(chunk(next));
    }
  };
  pushUntilPaused();
  queue.divert(new Backlog(directory, 10 * chunkBytes));
  assert.deepEqual(readdirSync(directory), []);
  assert.equal(paused, false);
  pushUntilPaused();
  assert.equal(queue.hasBacklog, true);

  let read = 0;
  for await (const got of queue) {
    assert.deepEqual(got, chunk(read));
    read += 1;
    if (read === 5) assert.equal(paused, true, 'it is behind still');
    // Some more while it reads the backlog, and after it.
    if (!paused && next < 100) queue.push(chunk(next++));
    if (next === 100) queue.end();
  }
  assert.equal(read, 100);
  assert.equal(queue.hasBacklog, false);
});

test('discard() ends a reader, backlog or not', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'queue-'));
  t.after(() => {
    rmSync(directory, { recursive: true });
  });
  const queue = new OutputQueue({ pause: () => undefined, resume: () => undefined });
  queue.divert(new Backlog(directory));
  queue.push(chunk(1));
  queue.discard();
  for await (const got of queue) assert.fail(`${got.data.length} bytes of what was discarded`);
});

/** What the unlinked files of `directory` that this process has open take of the disk. */
function heldBytes(directory: string): number {
  return readdirSync('/proc/self/fd')
    .map((fd) => `/proc/self/fd/${fd}`)
    .filter((path) => existsSync(path) && readlinkSync(path).startsWith(directory))
    .reduce((sum, path) => sum + statSync(path).blocks * 512, 0);
}

test('a backlog takes no more of the disk than what is unread, and a little', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'queue-'));
  t.after(() => {
    rmSync(directory, { recursive: true });
  });
  using backlog = new Backlog(directory, 1 << 20);
  assert.equal(backlog.append(chunk(0)), true);
  for (let index = 1; index <= 1000; index += 1) {
    assert.equal(backlog.append(chunk(index)), true);
    assert.deepEqual(backlog.shift(), chunk(index - 1));
  }
  assert.equal(backlog.isEmpty, false);
  const held = heldBytes(directory);
  assert.ok(held > 0 && held < 24 << 20, `${held} bytes`);
});
