import assert from 'node:assert/strict';
import { link, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { codeOf } from '../../../src/errors/index.ts';
import { createLogReader } from '../../../src/runtime/index.ts';
import { monitorsOf } from '../../support/runtime-helpers.ts';
import type { RuntimeBed } from './runtime-bed.ts';

/** What a container's log holds, and how it goes on in a new file. */
export function testLogs(bed: RuntimeBed): void {
  test('the log holds every byte: NUL, long lines, no line feed at the end, both streams', async (t) => {
    const script =
      'printf "a\\000b\\n"; echo err >&2; head -c 40000 /dev/zero | tr "\\000" x; echo; printf end';
    const { id, log } = await bed.started(t, { args: ['sh', '-c', script] });
    await bed.runtime.wait(id);
    const text = { stdout: '', stderr: '' };
    for await (const records of createLogReader().read(log, { stdout: true, stderr: true })) {
      for (const { stream, data, time } of records) {
        text[stream] += data.toString();
        assert.ok(Math.abs(Date.now() - Date.parse(time)) < 10_000);
      }
    }
    assert.deepEqual(text, { stdout: `a\0b\n${'x'.repeat(40_000)}\nend`, stderr: 'err\n' });
  });

  test('reopenLog() goes on in a new file without losing a byte', async (t) => {
    const script = 'i=0; while [ $i -lt 60000 ]; do echo $i; i=$((i+1)); done';
    const { id, log } = await bed.started(t, { args: ['sh', '-c', script] });
    for (let n = 1; (await bed.runtime.exit(id)) === undefined; n += 1) {
      const { ino } = await stat(log);
      await link(log, `${log}.${n}`);
      // Each second time an engine that knows of no reopening before.
      await using engine = n % 2 === 0 ? bed.open() : undefined;
      try {
        await (engine ?? bed.runtime).reopenLog(id, { path: log, ino });
      } catch (error) {
        assert.equal(codeOf(error), 'conflict');
        await rm(`${log}.${n}`);
      }
    }
    await bed.runtime.wait(id);
    let text = '';
    for await (const records of createLogReader().read(log, { stdout: true, stderr: true }))
      for (const { data } of records) text += data.toString();
    assert.equal(text, Array.from({ length: 60_000 }, (_, i) => `${i}\n`).join(''));
  });

  test('reopenLog() waits for a request that a killed engine left', async (t) => {
    const { id, bundle, log } = await bed.started(t, { args: ['cat'], stdin: true });
    const { ino } = await stat(log);
    const [monitor = 0] = await monitorsOf(bed.run, id);
    process.kill(monitor, 'SIGSTOP');
    await writeFile(join(bundle, 'ctl'), '2 0 0\n', { flag: 'r+' });
    const reopened = bed.runtime.reopenLog(id, { path: log, ino });
    await delay(100);
    process.kill(monitor, 'SIGCONT');
    await reopened;
    const second = await stat(log);
    assert.notEqual(second.ino, ino);
    await delay(100);
    assert.equal((await stat(log)).ino, second.ino, 'it was reopened once');
  });

  test('reopenLog() is a conflict when the container has ended', async (t) => {
    const { id, log } = await bed.started(t, { args: ['true'] });
    await bed.runtime.wait(id);
    const { ino } = await stat(log);
    await assert.rejects(bed.runtime.reopenLog(id, { path: log, ino }), { code: 'conflict' });
  });
}
