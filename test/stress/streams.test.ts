import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import test, { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDaemon, type TestDaemon } from '../support/daemon.ts';
import { runClient } from '../support/docker-client.ts';
import { memoryOf } from '../support/engine-usage.ts';
import { size } from './size.ts';

/** What the daemon may need for a moment, whatever the length of the stream. */
const peakLimitKiB = 48 << 10;
const restLimitKiB = 12 << 10;

let engine: TestDaemon;
before(async () => {
  engine = await openDaemon();
  engine.ok(['run', '-d', '--name', 'keeper', 'base:1', 'sleep', '100000']);
});
after(async () => {
  await engine.destroy();
});

for (const [what, args] of [
  ['run', ['run', '-i', '--rm', 'base:1', 'cat']],
  ['exec', ['exec', '-i', 'keeper', 'cat']],
] as const) {
  test(`${size.streamMiB} MiB through docker ${what} -i come back whole, and the daemon does not grow`, async (t) => {
    await echo(args, 8); // What is made once is made.
    await sleep(6000);
    const resting = memoryOf(engine.pid);
    let peak = 0;
    const timer = setInterval(() => {
      peak = Math.max(peak, memoryOf(engine.pid));
    }, 100);
    const begun = performance.now();
    try {
      await echo(args, size.streamMiB);
    } finally {
      clearInterval(timer);
    }
    const seconds = (performance.now() - begun) / 1000;
    await sleep(6000);
    const rested = memoryOf(engine.pid);
    const mib = (kib: number) => (kib / 1024).toFixed(1);
    t.diagnostic(
      `${seconds.toFixed(1)} s; before ${mib(resting)}, peak ${mib(peak)}, after ${mib(rested)} MiB`,
    );
    assert.ok(peak - resting < peakLimitKiB, `the daemon grew by ${mib(peak - resting)} MiB`);
    assert.ok(rested - resting < restLimitKiB, `the daemon keeps ${mib(rested - resting)} MiB`);
  });
}

/** Sends so much through a command that echoes, and compares. */
async function echo(args: readonly string[], mebibytes: number): Promise<void> {
  const sent = createHash('sha256');
  const received = createHash('sha256');
  let bytes = 0;
  const block = randomBytes(1 << 20);
  const input = Readable.from(
    (function* () {
      for (let index = 0; index < mebibytes; index += 1) {
        // No two blocks are alike.
        block.writeUInt32BE(index, 0);
        const data = Buffer.from(block);
        sent.update(data);
        yield data;
      }
    })(),
  );
  const onOutput = (chunk: Buffer) => {
    bytes += chunk.length;
    received.update(chunk);
  };
  const { code, stderr } = await runClient(engine, args, { input, onOutput });
  assert.equal(code, 0, stderr);
  assert.equal(bytes, mebibytes << 20);
  assert.equal(received.digest('hex'), sent.digest('hex'));
}
