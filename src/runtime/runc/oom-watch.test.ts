import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { OomWatch, oomSign } from './oom-watch.ts';

const events = (kills: number) => `low 0\nhigh 0\nmax 7\noom ${String(kills)}\noom_kill ${String(kills)}\n`;

function unified(t: TestContext) {
  const cgroup = mkdtempSync(join(tmpdir(), 'gantry-oom-'));
  t.after(() => {
    rmSync(cgroup, { recursive: true, force: true });
  });
  const state = { pid: 1, startTime: '0', cgroupPaths: { '': cgroup }, hasHooks: false };
  const write = (kills: number) => {
    writeFileSync(join(cgroup, 'memory.events'), events(kills));
  };
  return { cgroup, state, write };
}

test('on cgroup v2 the kernel’s own file tells of a kill, not of the limit that was reached before it', async (t) => {
  const { cgroup, state, write } = unified(t);
  write(0);
  const monitor = join(cgroup, 'monitor');
  mkdirSync(monitor);
  let told = 0;
  const first = Promise.withResolvers<void>();
  using _watch = new OomWatch(Promise.resolve(oomSign(monitor, state)), () => {
    told += 1;
    first.resolve();
  });
  await sleep(50);
  write(0);
  await sleep(50);
  assert.equal(told, 0);
  write(1);
  await first.promise;
  write(2);
  await sleep(50);
  assert.equal(told, 1);
});

test('a kill from before is told, and none to one that has gone', async (t) => {
  const { cgroup, state, write } = unified(t);
  write(1);
  const told = Promise.withResolvers<void>();
  const gone = new OomWatch(Promise.resolve(oomSign(cgroup, state)), () => {
    told.reject(new Error('it was disposed of'));
  });
  gone[Symbol.dispose]();
  using _watch = new OomWatch(Promise.resolve(oomSign(cgroup, state)), told.resolve);
  await told.promise;
});

test('a cgroup that is gone tells nothing', async (t) => {
  const { cgroup, state } = unified(t);
  rmSync(cgroup, { recursive: true });
  using _watch = new OomWatch(Promise.resolve(oomSign(cgroup, state)), () => {
    assert.fail('nothing was killed');
  });
  await sleep(50);
});
