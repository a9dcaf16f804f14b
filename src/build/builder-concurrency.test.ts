import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  build,
  chrootRunner,
  fails,
  inImage,
  listening,
  openBench,
  requestOf,
} from '../../test/support/build-bench.ts';
import { raceAbort } from '../lib/keyed-lock.ts';
import { buildExitCode } from './index.ts';

test('aborting a build kills its command and leaves nothing', async (t) => {
  const bench = await openBench(t);
  const controller = new AbortController();
  const building = bench.builder.build(
    requestOf({ Dockerfile: 'FROM busybox\nRUN echo started; sleep 100\n' }),
    listening((message) => {
      if (message.stream === 'started\n') controller.abort();
    }),
    controller.signal,
  );
  await assert.rejects(building);
  assert.deepEqual(bench.snapshots.list().active, []);
  assert.equal(bench.leases(), 0);
});

test('independent stages run at once, and are told in order', async (t) => {
  const bench = await openBench(t);
  // Each command waits for the other: one after the other they would never end.
  const meeting = Promise.withResolvers<void>();
  let waiting = 0;
  const chroot = chrootRunner(bench.snapshots);
  const builder = bench.withSteps({
    run: async (step, signal) => {
      waiting += 1;
      if (waiting === 2) meeting.resolve();
      await meeting.promise;
      return chroot.run(step, signal);
    },
  });
  const Dockerfile = `FROM busybox AS a
RUN echo from-a > /a; cat /a
FROM busybox AS b
RUN echo from-b > /b; cat /b
FROM scratch
COPY --from=b /b /
COPY --from=a /a /
`;
  const { text, id } = await build({ ...bench, builder }, { Dockerfile });
  assert.match(text, /Step 2\/7[^]*from-a\n[^]*Step 3\/7[^]*from-b\n[^]*Step 5\/7/);
  await inImage(bench, id, (root) => {
    assert.deepEqual(readdirSync(root).sort(), ['a', 'b']);
  });
});

test('commands that run long hold up no other build, and a build is cancelled whatever it waits for', async (t) => {
  const bench = await openBench(t);
  const chroot = chrootRunner(bench.snapshots);
  const many = availableParallelism() + 1;
  const allRun = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  let running = 0;
  const builder = bench.withSteps({
    run: async (step, signal) => {
      running += 1;
      if (running === many) allRun.resolve();
      await raceAbort(finish.promise, signal);
      return chroot.run(step, signal);
    },
  });
  const cancel = new AbortController();
  const builds = Array.from({ length: many }, (_, index) =>
    builder.build(
      requestOf({ Dockerfile: `FROM busybox\nRUN echo ${index} >/out\n` }),
      listening(() => undefined),
      index === 0 ? cancel.signal : AbortSignal.timeout(300_000),
    ),
  );
  const [cancelled] = builds;
  assert.ok(cancelled !== undefined);
  const outcomes = Promise.allSettled(builds);
  await raceAbort(allRun.promise, AbortSignal.timeout(300_000));
  const Dockerfile = 'FROM busybox\nENV A=1\nWORKDIR /w\nCOPY Dockerfile .\n';
  await builder.build(
    requestOf({ Dockerfile }),
    listening(() => undefined),
    AbortSignal.timeout(300_000),
  );
  cancel.abort();
  await assert.rejects(cancelled);
  finish.resolve();
  const ended = (await outcomes).map(({ status }) => status);
  assert.deepEqual(ended, ['rejected', ...Array.from({ length: many - 1 }, () => 'fulfilled')]);
});

test('a command waits while nobody takes what it says', async (t) => {
  const bench = await openBench(t);
  const taken = Promise.withResolvers<void>();
  const full = Promise.withResolvers<void>();
  let length = 0;
  const building = bench.builder.build(
    requestOf({ Dockerfile: 'FROM busybox\nRUN busybox yes | busybox head -c 20000000\n' }),
    {
      tell: ({ stream = '' }) => {
        length += stream.length;
      },
      ready: () => {
        if (length > 100_000) full.resolve();
        return length > 100_000 ? taken.promise : Promise.resolve();
      },
    },
    AbortSignal.timeout(300_000),
  );
  await Promise.race([full.promise, building]);
  await sleep(200);
  assert.ok(length < 1_000_000, String(length));
  taken.resolve();
  await building;
  assert.ok(length > 20_000_000, String(length));
});

test('a failing stage stops the others', async (t) => {
  const bench = await openBench(t);
  const Dockerfile = `FROM busybox AS a
RUN sleep 100
FROM busybox AS b
RUN exit 7
FROM scratch
COPY --from=a /a /
COPY --from=b /b /
`;
  const started = Date.now();
  const error = await fails(bench, { Dockerfile });
  assert.equal(buildExitCode(error), 7);
  assert.ok(Date.now() - started < 30_000);
  assert.deepEqual(bench.snapshots.list().active, []);
});
