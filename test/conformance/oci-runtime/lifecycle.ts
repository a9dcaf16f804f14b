import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { codeOf } from '../../../src/errors/index.ts';
import { randomId } from '../../../src/lib/ids.ts';
import { raceAbort } from '../../../src/lib/keyed-lock.ts';
import { cgroupPlaces } from '../../../src/lib/remove-cgroup.ts';
import { collect, conflict, killMonitors, monitorsOf } from '../../support/runtime-helpers.ts';
import { runtimeSpec } from '../../support/runtime-spec.ts';
import type { RuntimeBed } from './runtime-bed.ts';

/** The states of a container, its process, and what ends it. */
export function testLifecycle(bed: RuntimeBed): void {
  test('probe() names the versions', async () => {
    const { version, monitorVersion } = await bed.runtime.probe();
    assert.match(version, /^\d+\.\d+/);
    assert.match(monitorVersion, /^\d+\.\d+/);
  });

  test('a container goes through created, running, stopped and away', async (t) => {
    const { id } = await bed.create(t, { args: ['sleep', '100'] });
    assert.equal((await bed.runtime.state(id))?.status, 'created');
    assert.equal(await bed.runtime.exit(id), undefined);
    await bed.runtime.start(id);
    const state = await bed.runtime.state(id);
    assert.equal(state?.status, 'running');
    assert.deepEqual(await bed.runtime.pids(id), [state?.pid]);
    await bed.runtime.kill(id, 9);
    const exit = await bed.runtime.wait(id);
    assert.equal(exit.exitCode, 137);
    assert.equal(exit.oomKilled, false);
    assert.ok(Math.abs(Date.now() - exit.finishedAt.getTime()) < 5000);
    assert.deepEqual(await bed.runtime.exit(id), exit);
    assert.equal((await bed.runtime.state(id))?.status, 'stopped');
    assert.equal(await bed.runtime.cgroups(id), undefined);
    await assert.rejects(bed.runtime.kill(id, 9), conflict);
    await bed.runtime.delete(id);
    assert.equal(await bed.runtime.state(id), undefined);
    await bed.runtime.delete(id);
  });

  test('wait() gives exit codes, and 128 + n after a signal', async (t) => {
    const cases: [string, number][] = [
      ['exit 0', 0],
      ['exit 7', 7],
      ['exit 255', 255],
      ['sh -c "kill -TERM \\$\\$"; exit $?', 143],
    ];
    await Promise.all(
      cases.map(async ([script, code]) => {
        const { id } = await bed.started(t, { args: ['sh', '-c', script] });
        assert.equal((await bed.runtime.wait(id)).exitCode, code, script);
      }),
    );
  });

  test('wait() ends with its signal and rejects for an unknown container', async (t) => {
    const { id } = await bed.started(t, { args: ['sleep', '100'] });
    await assert.rejects(bed.runtime.wait(id, AbortSignal.timeout(50)), { name: 'TimeoutError' });
    await assert.rejects(bed.runtime.wait(randomId()), (error) => codeOf(error) === 'notFound');
  });

  test('start() twice is a conflict', async (t) => {
    const { id } = await bed.started(t, { args: ['sleep', '100'] });
    await assert.rejects(bed.runtime.start(id), conflict);
  });

  test('delete() with keep leaves the exit until the next one, and all else goes', async (t) => {
    const { id } = await bed.started(t, { args: ['sh', '-c', 'exit 7'] });
    const exit = await bed.runtime.wait(id);
    await bed.runtime.delete(id, { force: true, keep: { ...exit, oomKilled: true } });
    assert.equal(await bed.runtime.state(id), undefined);
    await using later = bed.open();
    assert.deepEqual(await later.exit(id), { ...exit, oomKilled: true });
    assert.deepEqual(await bed.runtime.wait(id), { ...exit, oomKilled: true });
    await bed.runtime.delete(id, { force: true });
    assert.equal(await bed.runtime.exit(id), undefined);
    assert.ok(!(await bed.runtime.list()).includes(id));
  });

  test('the same id can be created again after delete()', async (t) => {
    const first = await bed.started(t, { args: ['sh', '-c', 'exit 3'] });
    assert.equal((await bed.runtime.wait(first.id)).exitCode, 3);
    await bed.runtime.delete(first.id);
    await bed.runtime.create({
      id: first.id,
      bundle: first.bundle,
      spec: runtimeSpec({
        rootfs: join(bed.directory, 'rootfs'),
        cgroup: `/gantry-test/${first.id}`,
        args: ['sh', '-c', 'exit 4'],
      }),
      terminal: false,
      stdin: false,
      stdinOnce: true,
      log: { path: first.log },
    });
    assert.equal(await bed.runtime.exit(first.id), undefined);
    await bed.runtime.start(first.id);
    assert.equal((await bed.runtime.wait(first.id)).exitCode, 4);
  });

  test('create() says in Docker’s words why a command cannot run, and leaves nothing', async (t) => {
    const prefix =
      'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process:';
    const cases = [
      ['nope', `${prefix} exec: "nope": executable file not found in $PATH: unknown`],
      ['/nope', `${prefix} exec: "/nope": stat /nope: no such file or directory: unknown`],
      ['/etc/passwd', `${prefix} exec: "/etc/passwd": permission denied: unknown`],
    ] as const;
    for (const [command, message] of cases) {
      await assert.rejects(bed.create(t, { args: [command] }), { code: 'invalidArgument', message });
    }
    assert.deepEqual(await readdir(join(bed.run, 'runc')), []);
  });

  test('create() that is aborted leaves nothing', async () => {
    const id = randomId();
    const bundle = join(bed.directory, id);
    await mkdir(bundle);
    const options = {
      id,
      bundle,
      spec: runtimeSpec({
        rootfs: join(bed.directory, 'rootfs'),
        cgroup: `/gantry-test/${id}`,
        args: ['true'],
      }),
      terminal: false,
      stdin: false,
      stdinOnce: true,
      log: {},
    };
    await assert.rejects(bed.runtime.create(options, AbortSignal.timeout(10)), { name: 'TimeoutError' });
    assert.equal(await bed.runtime.state(id), undefined);
    assert.deepEqual(await monitorsOf(bed.run, id), []);
    assert.deepEqual((await cgroupPlaces(`gantry-test/${id}`)).filter(existsSync), []);
  });

  test('a container has none of the engine’s descriptors and variables', async (t) => {
    const result = await bed.output(t, { args: ['sh', '-c', 'ls /proc/self/fd | wc -l; env'] });
    // 0, 1, 2 and the directory `ls` reads.
    assert.match(result.stdout, /^4\n/);
    assert.doesNotMatch(result.stdout, /_OCI|TMPDIR|NODE|TZ=/);
  });

  test('pause() and resume() freeze and thaw, and SIGKILL reaches a paused container', async (t) => {
    const { id } = await bed.started(t, { args: ['sleep', '100'] });
    await bed.runtime.pause(id);
    assert.equal((await bed.runtime.state(id))?.status, 'paused');
    await bed.runtime.resume(id);
    assert.equal((await bed.runtime.state(id))?.status, 'running');
    await bed.runtime.pause(id);
    await bed.runtime.kill(id, 9);
    assert.equal((await bed.runtime.wait(id, AbortSignal.timeout(60_000))).exitCode, 137);
  });

  test('update() changes a limit of a running container', async (t) => {
    const { id } = await bed.started(t, { args: ['sleep', '100'] });
    await bed.runtime.update(id, { pids: { limit: 77 } });
    const { pids, '': unified = '' } = (await bed.runtime.cgroups(id)) ?? {};
    assert.equal((await readFile(join(pids ?? unified, 'pids.max'), 'utf8')).trim(), '77');
  });

  test('a container killed for memory says so', async (t) => {
    const { id } = await bed.started(t, { args: ['sh', '-c', 'tail /dev/zero'], memory: 16 << 20 });
    const exit = await bed.runtime.wait(id);
    assert.equal(exit.exitCode, 137);
    assert.equal(exit.oomKilled, true);
    assert.equal((await bed.runtime.exit(id))?.oomKilled, true);
  });

  test('watchOom() tells of a process killed for memory while others go on, also of one before', async (t) => {
    const { id } = await bed.started(t, {
      args: ['sh', '-c', 'tail /dev/zero; exec sleep 100'],
      memory: 16 << 20,
    });
    const told = Promise.withResolvers<void>();
    using _watch = bed.runtime.watchOom(id, told.resolve);
    await raceAbort(told.promise, AbortSignal.timeout(60_000));
    await using later = bed.open();
    const again = Promise.withResolvers<void>();
    using _again = later.watchOom(id, again.resolve);
    await raceAbort(again.promise, AbortSignal.timeout(60_000));
    assert.equal((await bed.runtime.state(id))?.status, 'running');
  });

  test('a container whose monitor was killed ends with 137', async (t) => {
    const { id } = await bed.started(t, { args: ['sleep', '100'] });
    const waiting = bed.runtime.wait(id, AbortSignal.timeout(60_000));
    await killMonitors(bed.run, id);
    assert.equal((await waiting).exitCode, 137);
    assert.equal((await bed.runtime.exit(id))?.exitCode, 137);
    assert.equal((await bed.runtime.state(id))?.status, 'stopped');
  });

  test('a new runtime on the same directory finds containers, their exits and their stdio', async (t) => {
    const ended = await bed.started(t, { args: ['sh', '-c', 'exit 9'] });
    await bed.runtime.wait(ended.id);
    const running = await bed.started(t, { args: ['cat'], stdin: true });
    await using later = bed.open();
    assert.equal((await later.wait(ended.id)).exitCode, 9);
    assert.equal((await later.state(running.id))?.status, 'running');
    const waiting = later.wait(running.id);
    await using attachment = await later.attach(running.id);
    attachment.input.end('hello\n');
    assert.equal((await collect(attachment)).stdout, 'hello\n');
    assert.equal((await waiting).exitCode, 0);
  });

  test('delete() with force ends a running container and its execs', async (t) => {
    const { id } = await bed.started(t, { args: ['sleep', '100'] });
    const execId = randomId();
    const { process } = runtimeSpec({ args: ['sleep', '100'], rootfs: '', cgroup: '' });
    await bed.runtime.exec(id, { execId, process, terminal: false, stdin: false, attach: false });
    await assert.rejects(bed.runtime.delete(id));
    await bed.runtime.delete(id, { force: true });
    assert.equal(await bed.runtime.state(id), undefined);
    assert.deepEqual(await monitorsOf(bed.run, id), []);
  });
}
