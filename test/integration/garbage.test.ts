import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { engineConfig } from '../../src/config/index.ts';
import { startDaemon, type TestDaemon } from '../support/daemon.ts';
import { readDisk } from '../support/engine-state.ts';
import { until } from '../support/until.ts';

function contextOf(daemon: TestDaemon, ...lines: string[]): string {
  const context = join(daemon.directory, 'context');
  mkdirSync(context, { recursive: true });
  writeFileSync(join(context, 'Dockerfile'), `${lines.join('\n')}\n`);
  return context;
}

async function hasNoGarbage(daemon: TestDaemon, snapshots: number): Promise<void> {
  const read = () => {
    const { garbage, strays, committed } = readDisk(engineConfig({ root: daemon.root }));
    return { garbage, strays, committed: committed.length };
  };
  const clean = { garbage: [], strays: [], committed: snapshots };
  await until(
    () => isDeepStrictEqual(read(), clean),
    () => JSON.stringify(read()),
  );
}

test('layers of an image removed by force go with the last container on them', async (t) => {
  const daemon = await startDaemon(t);
  daemon.ok(['build', '-q', '-t', 'built', contextOf(daemon, 'FROM base:1', 'RUN echo 1 > /one')]);
  daemon.ok(['run', '--name', 'user', 'built', 'true']);
  daemon.ok(['rmi', '-f', 'built']);
  daemon.ok(['start', '-a', 'user']);
  daemon.ok(['rm', 'user']);
  await hasNoGarbage(daemon, 1);
});

test('a failed build leaves its done steps in the cache and nothing else', async (t) => {
  const daemon = await startDaemon(t);
  const context = contextOf(daemon, 'FROM base:1', 'RUN echo 1 > /one', 'RUN echo 2 > /two; exit 3');
  assert.equal(daemon.docker(['build', context]).code, 3);
  await hasNoGarbage(daemon, 2);
  daemon.ok(['builder', 'prune', '-f']);
  await hasNoGarbage(daemon, 1);
});
