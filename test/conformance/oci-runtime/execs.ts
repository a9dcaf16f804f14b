import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { codeOf } from '../../../src/errors/index.ts';
import { randomId } from '../../../src/lib/ids.ts';
import { conflict, firstLine, killMonitors, monitorsOf, ticksIn } from '../../support/runtime-helpers.ts';
import { runtimeSpec } from '../../support/runtime-spec.ts';
import type { RuntimeBed } from './runtime-bed.ts';

/** Further processes in a running container. */
export function testExecs(bed: RuntimeBed): void {
  test('exec() runs further processes with their own stdio and exit codes', async (t) => {
    const { id } = await bed.started(t, { args: ['sleep', '100'] });
    assert.deepEqual(await bed.execOutput(id, { args: ['sh', '-c', 'echo out; echo err >&2; exit 6'] }), {
      stdout: 'out\n',
      stderr: 'err\n',
      exitCode: 6,
    });
    assert.equal((await bed.execOutput(id, { args: ['wc', '-c'] }, 'abc')).stdout, '3\n');
    assert.equal((await bed.execOutput(id, { args: ['sh', '-c', 'kill -9 $$'] })).exitCode, 137);
    const user = await bed.execOutput(id, { args: ['sh', '-c', 'id -u; echo x >/dev/stdout'], uid: 1000 });
    assert.equal(user.stdout, '1000\nx\n');
    const size = { height: 30, width: 40 };
    const terminal = await bed.execOutput(id, { args: ['stty', 'size'], terminal: true, consoleSize: size });
    assert.equal(terminal.stdout, '30 40\r\n');
  });

  test('exec() ends with its process, whoever else holds its output', async (t) => {
    const { id } = await bed.started(t, { args: ['sleep', '100'] });
    const result = await bed.execOutput(id, { args: ['sh', '-c', 'sleep 50 & echo hi'] });
    assert.deepEqual(result, { stdout: 'hi\n', stderr: '', exitCode: 0 });
    assert.equal((await bed.runtime.pids(id)).length, 2);
  });

  test('exec() carries 20 MB each way, and goes on when its client is gone', async (t) => {
    const { id } = await bed.started(t, { args: ['sleep', '100'] });
    const start = async (...args: string[]) => {
      const execId = randomId();
      const { process } = runtimeSpec({ args, rootfs: '', cgroup: '' });
      const { attachment } = await bed.runtime.exec(id, {
        ...{ execId, process, terminal: false, stdin: true, attach: true },
      });
      assert.ok(attachment);
      return { execId, attachment };
    };
    const cat = await start('cat');
    const [block, blocks] = [Buffer.alloc(1_000_000, 'b'), 20];
    const sending = (async () => {
      for (let sent = 0; sent < blocks; sent += 1) {
        if (!cat.attachment.input.write(block)) await once(cat.attachment.input, 'drain');
      }
      cat.attachment.input.end();
    })();
    await delay(100);
    let received = 0;
    for await (const { data } of cat.attachment.output) received += data.length;
    await sending;
    assert.equal(received, block.length * blocks);
    assert.equal((await bed.runtime.waitExec(id, cat.execId)).exitCode, 0);

    const left = await start(
      'sh',
      '-c',
      'for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done; yes | head -c 3000000; exit 4',
    );
    assert.equal(await firstLine(left.attachment), '1\n');
    await left.attachment[Symbol.asyncDispose]();
    assert.equal((await bed.runtime.waitExec(id, left.execId, AbortSignal.timeout(60_000))).exitCode, 4);
    const unread = await start('sh', '-c', 'exec <&-; sleep 0.1; exit 5');
    unread.attachment.input.write(block);
    assert.equal((await bed.runtime.waitExec(id, unread.execId, AbortSignal.timeout(60_000))).exitCode, 5);
    await unread.attachment[Symbol.asyncDispose]();
  });

  test('exec() reads its input to the end, also once its output goes elsewhere', async (t) => {
    const { id } = await bed.started(t, { args: ['sleep', '100'] });
    const script = 'exec >/dev/null 2>&1; [ "$(wc -c)" = 5000000 ]';
    const result = await bed.execOutput(id, { args: ['sh', '-c', script] }, 'x'.repeat(5_000_000));
    assert.deepEqual(result, { stdout: '', stderr: '', exitCode: 0 });
  });

  test('exec() has none of the engine’s descriptors and variables', async (t) => {
    const { id } = await bed.started(t, { args: ['sleep', '100'] });
    const { stdout } = await bed.execOutput(id, { args: ['sh', '-c', 'ls /proc/self/fd | wc -l; env'] });
    assert.match(stdout, /^4\n/);
    assert.doesNotMatch(stdout, /_OCI|TMPDIR|NODE|TZ=|GOGC/);
  });

  test('exec() whose monitor was killed ends with 137, its process too', async (t) => {
    const { id } = await bed.started(t, { args: ['sleep', '100'] });
    const execId = randomId();
    const { process } = runtimeSpec({ args: ['sleep', '100'], rootfs: '', cgroup: '' });
    await bed.runtime.exec(id, { execId, process, terminal: false, stdin: false, attach: false });
    const waiting = bed.runtime.waitExec(id, execId, AbortSignal.timeout(60_000));
    await killMonitors(bed.run, execId);
    assert.equal((await waiting).exitCode, 137);
    assert.equal((await bed.runtime.state(id))?.status, 'running');
  });

  test('waitExec() says so when the exec’s files go under it, as with a container that is removed', async (t) => {
    const { id } = await bed.started(t, { args: ['sleep', '100'] });
    const execId = randomId();
    const { process } = runtimeSpec({ args: ['sleep', '100'], rootfs: '', cgroup: '' });
    await bed.runtime.exec(id, { execId, process, terminal: false, stdin: false, attach: false });
    const waiting = bed.runtime.waitExec(id, execId, AbortSignal.timeout(60_000));
    const gone = assert.rejects(waiting, (error) => codeOf(error) === 'notFound');
    await bed.runtime.deleteExec(id, execId);
    await killMonitors(bed.run, execId);
    await gone;
  });

  test('recoverExecs() keeps no monitor busy whose process has closed its stdin', async (t) => {
    const { id } = await bed.started(t, { args: ['sleep', '100'] });
    const execId = randomId();
    const { process } = runtimeSpec({ args: ['sh', '-c', 'exec <&-; sleep 100'], rootfs: '', cgroup: '' });
    const { attachment } = await bed.runtime.exec(id, {
      ...{ execId, process, terminal: false, stdin: true, attach: true, sharesPids: true },
    });
    attachment?.input.write(Buffer.alloc(200_000));
    await delay(500);
    await attachment?.[Symbol.asyncDispose]();
    await using later = bed.open();
    await later.recoverExecs();
    await delay(100);
    const [ticks = 100] = await ticksIn(1000, await monitorsOf(bed.run, execId));
    assert.ok(ticks < 20, `busy for ${ticks} of 100 ticks`);
  });

  test('exec() without attach runs on its own and is waited for, also by a later runtime', async (t) => {
    const { id } = await bed.started(t, { args: ['sleep', '100'] });
    const execId = randomId();
    const { process } = runtimeSpec({ args: ['sh', '-c', 'sleep 0.2; exit 8'], rootfs: '', cgroup: '' });
    const exec = await bed.runtime.exec(id, {
      execId,
      process,
      terminal: false,
      stdin: false,
      attach: false,
    });
    assert.ok(exec.pid > 0);
    assert.equal(exec.attachment, undefined);
    await using later = bed.open();
    const exits = await Promise.all([bed.runtime.waitExec(id, execId), later.waitExec(id, execId)]);
    assert.deepEqual(
      exits.map((exit) => exit.exitCode),
      [8, 8],
    );
    await bed.runtime.deleteExec(id, execId);
    await assert.rejects(bed.runtime.waitExec(id, execId), (error) => codeOf(error) === 'notFound');
  });

  test('exec() says in Docker’s words why a command cannot run', async (t) => {
    const { id } = await bed.started(t, { args: ['sleep', '100'] });
    const prefix = 'OCI runtime exec failed: exec failed: unable to start container process:';
    await assert.rejects(bed.execOutput(id, { args: ['nope'] }), {
      code: 'invalidArgument',
      message: `${prefix} exec: "nope": executable file not found in $PATH: unknown`,
    });
    await assert.rejects(bed.execOutput(id, { args: ['/etc/passwd'] }), {
      code: 'invalidArgument',
      message: `${prefix} exec: "/etc/passwd": permission denied: unknown`,
    });
    await bed.runtime.kill(id, 9);
    await bed.runtime.wait(id);
    await assert.rejects(bed.execOutput(id, { args: ['true'] }), conflict);
  });
}
