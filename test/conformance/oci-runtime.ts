import assert from 'node:assert/strict';
import { once } from 'node:events';
import { link, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { codeOf } from '../../src/errors/index.ts';
import { randomId } from '../../src/lib/ids.ts';
import { createLogReader, type OciRuntime } from '../../src/runtime/index.ts';
import { makeBusyboxRootfs } from '../support/rootfs.ts';
import {
  collect,
  conflict,
  firstLine,
  killMonitors,
  monitorsOf,
  type Output,
  removeCgroups,
} from '../support/runtime-helpers.ts';
import { runtimeSpec, type SpecOptions } from '../support/runtime-spec.ts';

export interface OciRuntimeSuite {
  readonly name: string;
  /** A runtime on this directory; called twice on one directory it must find the same containers. */
  readonly open: (run: string) => OciRuntime;
}

interface Options extends Omit<SpecOptions, 'rootfs' | 'cgroup'> {
  readonly stdin?: boolean;
  readonly stdinOnce?: boolean;
  readonly noLog?: boolean;
}

interface Container {
  readonly id: string;
  readonly bundle: string;
  readonly log: string;
}

/** What every OciRuntime promises. Needs root, cgroups and busybox. */
export function testOciRuntime(suite: OciRuntimeSuite): void {
  describe(suite.name, () => {
    let directory: string;
    let run: string;
    let runtime: OciRuntime;

    before(async () => {
      directory = await mkdtemp(join(tmpdir(), 'runtime-'));
      run = await mkdtemp('/run/gantry-test-');
      runtime = suite.open(run);
      await makeBusyboxRootfs(join(directory, 'rootfs'));
    });
    after(async () => {
      await runtime[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
      await rm(run, { recursive: true, force: true });
      await removeCgroups('gantry-test');
    });

    async function create(t: TestContext, options: Options): Promise<Container> {
      const id = randomId();
      const bundle = join(directory, id);
      const log = join(bundle, 'log');
      await mkdir(bundle);
      t.after(() => runtime.delete(id, { force: true }));
      await runtime.create({
        id,
        bundle,
        spec: runtimeSpec({ ...options, rootfs: join(directory, 'rootfs'), cgroup: `/gantry-test/${id}` }),
        terminal: options.terminal ?? false,
        stdin: options.stdin ?? false,
        stdinOnce: options.stdinOnce ?? true,
        log: options.noLog === true ? {} : { path: log },
      });
      return { id, bundle, log };
    }

    async function started(t: TestContext, options: Options): Promise<Container> {
      const container = await create(t, options);
      await runtime.start(container.id);
      return container;
    }

    /** Runs to the end with a client attached from the start. */
    async function output(t: TestContext, options: Options, input?: string): Promise<Output> {
      const { id } = await create(t, { ...options, stdin: input !== undefined || options.stdin === true });
      await using attachment = await runtime.attach(id);
      await runtime.start(id);
      if (input !== undefined) attachment.input.end(input);
      const [collected, { exitCode }] = await Promise.all([collect(attachment), runtime.wait(id)]);
      return { ...collected, exitCode };
    }

    async function execOutput(id: string, options: Options, input?: string): Promise<Output> {
      const execId = randomId();
      const spec = runtimeSpec({ ...options, rootfs: '', cgroup: '' });
      const { attachment } = await runtime.exec(id, {
        execId,
        process: spec.process,
        terminal: options.terminal ?? false,
        stdin: input !== undefined,
        attach: true,
      });
      assert.ok(attachment);
      await using attached = attachment;
      if (input !== undefined) attached.input.end(input);
      const [collected, { exitCode }] = await Promise.all([collect(attached), runtime.waitExec(id, execId)]);
      await runtime.deleteExec(id, execId);
      return { ...collected, exitCode };
    }

    test('probe() names the versions', async () => {
      const { version, monitorVersion } = await runtime.probe();
      assert.match(version, /^\d+\.\d+/);
      assert.match(monitorVersion, /^\d+\.\d+/);
    });

    test('a container goes through created, running, stopped and away', async (t) => {
      const { id } = await create(t, { args: ['sleep', '100'] });
      assert.equal((await runtime.state(id))?.status, 'created');
      assert.equal(await runtime.exit(id), undefined);
      await runtime.start(id);
      const state = await runtime.state(id);
      assert.equal(state?.status, 'running');
      assert.deepEqual(await runtime.pids(id), [state?.pid]);
      await runtime.kill(id, 9);
      const exit = await runtime.wait(id);
      assert.equal(exit.exitCode, 137);
      assert.equal(exit.oomKilled, false);
      assert.ok(Math.abs(Date.now() - exit.finishedAt.getTime()) < 5000);
      assert.deepEqual(await runtime.exit(id), exit);
      assert.equal((await runtime.state(id))?.status, 'stopped');
      await assert.rejects(runtime.kill(id, 9), conflict);
      await runtime.delete(id);
      assert.equal(await runtime.state(id), undefined);
      await runtime.delete(id);
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
          const { id } = await started(t, { args: ['sh', '-c', script] });
          assert.equal((await runtime.wait(id)).exitCode, code, script);
        }),
      );
    });

    test('wait() ends with its signal and rejects for an unknown container', async (t) => {
      const { id } = await started(t, { args: ['sleep', '100'] });
      await assert.rejects(runtime.wait(id, AbortSignal.timeout(50)), { name: 'TimeoutError' });
      await assert.rejects(runtime.wait(randomId()), (error) => codeOf(error) === 'notFound');
    });

    test('start() twice is a conflict', async (t) => {
      const { id } = await started(t, { args: ['sleep', '100'] });
      await assert.rejects(runtime.start(id), conflict);
    });

    test('the same id can be created again after delete()', async (t) => {
      const first = await started(t, { args: ['sh', '-c', 'exit 3'] });
      assert.equal((await runtime.wait(first.id)).exitCode, 3);
      await runtime.delete(first.id);
      await runtime.create({
        id: first.id,
        bundle: first.bundle,
        spec: runtimeSpec({
          rootfs: join(directory, 'rootfs'),
          cgroup: `/gantry-test/${first.id}`,
          args: ['sh', '-c', 'exit 4'],
        }),
        terminal: false,
        stdin: false,
        stdinOnce: true,
        log: { path: first.log },
      });
      assert.equal(await runtime.exit(first.id), undefined);
      await runtime.start(first.id);
      assert.equal((await runtime.wait(first.id)).exitCode, 4);
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
        await assert.rejects(create(t, { args: [command] }), { code: 'invalidArgument', message });
      }
      assert.deepEqual(await readdir(join(run, 'runc')), []);
    });

    test('create() that is aborted leaves nothing', async () => {
      const id = randomId();
      const bundle = join(directory, id);
      await mkdir(bundle);
      const options = {
        id,
        bundle,
        spec: runtimeSpec({
          rootfs: join(directory, 'rootfs'),
          cgroup: `/gantry-test/${id}`,
          args: ['true'],
        }),
        terminal: false,
        stdin: false,
        stdinOnce: true,
        log: {},
      };
      await assert.rejects(runtime.create(options, AbortSignal.timeout(10)), { name: 'TimeoutError' });
      assert.equal(await runtime.state(id), undefined);
      assert.deepEqual(await monitorsOf(run, id), []);
    });

    test('input that the process never reads is dropped at its end', async (t) => {
      const { id } = await create(t, { args: ['sleep', '0.3'], stdin: true });
      await using attachment = await runtime.attach(id);
      await runtime.start(id);
      attachment.input.end(Buffer.alloc(1_000_000));
      assert.deepEqual(await collect(attachment), { stdout: '', stderr: '' });
      assert.equal((await runtime.wait(id)).exitCode, 0);
    });

    test('attach() before start() misses no byte and keeps the streams apart', async (t) => {
      const result = await output(t, {
        args: ['sh', '-c', 'echo out; echo err >&2; printf "a\\000b"; exit 5'],
      });
      assert.deepEqual(result, { stdout: 'out\na\0b', stderr: 'err\n', exitCode: 5 });
    });

    test('a half-close of the input is end of file, and the output still flows', async (t) => {
      const result = await output(
        t,
        { args: ['sh', '-c', 'wc -c; sleep 0.2; echo done'] },
        'x'.repeat(100_000),
      );
      assert.deepEqual(result, { stdout: '100000\ndone\n', stderr: '', exitCode: 0 });
    });

    test('stdin is empty without stdin', async (t) => {
      const result = await output(t, { args: ['sh', '-c', 'cat; readlink /proc/self/fd/0'] });
      assert.equal(result.stdout, '/dev/null\n');
    });

    test('stdin stays open for the next client without stdinOnce', async (t) => {
      const { id } = await started(t, { args: ['cat'], stdin: true, stdinOnce: false });
      {
        await using first = await runtime.attach(id);
        first.input.end('one\n');
        assert.equal(await firstLine(first), 'one\n');
      }
      await using second = await runtime.attach(id);
      second.input.write('two\n');
      assert.equal(await firstLine(second), 'two\n');
    });

    test('attach() carries 50 MB each way, whichever side is slower', async (t) => {
      const size = 50_000_000;
      const { id } = await create(t, { args: ['cat'], stdin: true, noLog: true });
      await using attachment = await runtime.attach(id);
      await runtime.start(id);
      const block = Buffer.alloc(1_000_000, 'b');
      const sending = (async () => {
        for (let sent = 0; sent < size; sent += block.length) {
          if (!attachment.input.write(block))
            await new Promise((drained) => attachment.input.once('drain', drained));
        }
        attachment.input.end();
      })();
      await delay(100);
      let received = 0;
      for await (const { data } of attachment.output) received += data.length;
      await sending;
      assert.equal(received, size);
      assert.equal((await runtime.wait(id)).exitCode, 0);
    });

    test('a client that never reads does not keep an ended container from ending', async (t) => {
      const { id } = await create(t, { args: ['sh', '-c', 'yes'], noLog: true });
      await using _attachment = await runtime.attach(id);
      await runtime.start(id);
      await delay(300);
      await runtime.kill(id, 9);
      assert.equal((await runtime.wait(id, AbortSignal.timeout(60_000))).exitCode, 137);
    });

    test('a client that stopped reading holds up nobody, and misses nothing', async (t) => {
      const { id } = await create(t, { args: ['seq', '1500000'] });
      await using attachment = await runtime.attach(id);
      await runtime.start(id);
      assert.equal((await runtime.wait(id, AbortSignal.timeout(60_000))).exitCode, 0);
      const { stdout } = await collect(attachment);
      assert.equal(stdout, Array.from({ length: 1_500_000 }, (_, index) => `${index + 1}\n`).join(''));
    });

    test('disposing an attachment leaves the process alone', async (t) => {
      const { id } = await started(t, { args: ['sh', '-c', 'while sleep 0.05; do echo x; done'] });
      const attachment = await runtime.attach(id);
      await firstLine(attachment);
      await attachment[Symbol.asyncDispose]();
      await delay(150);
      assert.equal((await runtime.state(id))?.status, 'running');
      await assert.rejects(runtime.attach(randomId()), conflict);
    });

    test('a terminal has the size asked for at create, and the last one asked for later', async (t) => {
      const { id } = await create(t, {
        args: ['sh', '-c', 'stty size; echo ready; read line; stty size'],
        terminal: true,
        stdin: true,
        consoleSize: { height: 11, width: 22 },
      });
      await using attachment = await runtime.attach(id);
      await runtime.start(id);
      let text = '';
      for await (const { stream, data } of attachment.output) {
        assert.equal(stream, 'stdout');
        text += data.toString();
        if (text.endsWith('ready\r\n')) {
          // All at once: a drag of a window's corner.
          const sizes = Array.from({ length: 20 }, (_, index) => ({ height: 14 + index, width: 25 + index }));
          await Promise.all(sizes.map((size) => runtime.resize(id, size)));
          attachment.input.write('\n');
        }
      }
      assert.equal(text, '11 22\r\nready\r\n\r\n33 44\r\n');
      await runtime.wait(id);
      await assert.rejects(runtime.resize(id, { height: 1, width: 1 }), conflict);
    });

    test('a terminal takes input', async (t) => {
      const { id } = await create(t, { args: ['sh'], terminal: true, stdin: true });
      await using attachment = await runtime.attach(id);
      await runtime.start(id);
      attachment.input.write('echo $((6*7)); exit 3\n');
      const { stdout } = await collect(attachment);
      assert.match(stdout, /42\r\n/);
      assert.equal((await runtime.wait(id)).exitCode, 3);
    });

    for (const terminal of [false, true]) {
      test(`a user other than root opens /dev/stdout ${terminal ? 'with' : 'without'} a terminal`, async (t) => {
        const script = 'id -u; echo out >/dev/stdout && echo err >/dev/stderr';
        const result = await output(t, { args: ['sh', '-c', script], uid: 1000, terminal });
        assert.equal(result.exitCode, 0);
        assert.equal(result.stdout.replaceAll('\r', ''), terminal ? '1000\nout\nerr\n' : '1000\nout\n');
      });
    }

    test('a container has none of the engine’s descriptors and variables', async (t) => {
      const result = await output(t, { args: ['sh', '-c', 'ls /proc/self/fd | wc -l; env'] });
      // 0, 1, 2 and the directory `ls` reads.
      assert.match(result.stdout, /^4\n/);
      assert.doesNotMatch(result.stdout, /_OCI|TMPDIR|NODE|TZ=/);
    });

    test('the log holds every byte: NUL, long lines, no line feed at the end, both streams', async (t) => {
      const script =
        'printf "a\\000b\\n"; echo err >&2; head -c 40000 /dev/zero | tr "\\000" x; echo; printf end';
      const { id, log } = await started(t, { args: ['sh', '-c', script] });
      await runtime.wait(id);
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
      const { id, log } = await started(t, { args: ['sh', '-c', script] });
      for (let n = 1; (await runtime.exit(id)) === undefined; n += 1) {
        const { ino } = await stat(log);
        await link(log, `${log}.${n}`);
        // Each second time an engine that knows of no reopening before.
        await using engine = n % 2 === 0 ? suite.open(run) : undefined;
        try {
          await (engine ?? runtime).reopenLog(id, { path: log, ino });
        } catch (error) {
          assert.equal(codeOf(error), 'conflict');
          await rm(`${log}.${n}`);
        }
      }
      await runtime.wait(id);
      let text = '';
      for await (const records of createLogReader().read(log, { stdout: true, stderr: true }))
        for (const { data } of records) text += data.toString();
      assert.equal(text, Array.from({ length: 60_000 }, (_, i) => `${i}\n`).join(''));
    });

    test('reopenLog() waits for a request that a killed engine left', async (t) => {
      const { id, bundle, log } = await started(t, { args: ['cat'], stdin: true });
      const { ino } = await stat(log);
      const [monitor = 0] = await monitorsOf(run, id);
      process.kill(monitor, 'SIGSTOP');
      await writeFile(join(bundle, 'ctl'), '2 0 0\n', { flag: 'r+' });
      const reopened = runtime.reopenLog(id, { path: log, ino });
      await delay(100);
      process.kill(monitor, 'SIGCONT');
      await reopened;
      const second = await stat(log);
      assert.notEqual(second.ino, ino);
      await delay(100);
      assert.equal((await stat(log)).ino, second.ino, 'it was reopened once');
    });

    test('reopenLog() is a conflict when the container has ended', async (t) => {
      const { id, log } = await started(t, { args: ['true'] });
      await runtime.wait(id);
      const { ino } = await stat(log);
      await assert.rejects(runtime.reopenLog(id, { path: log, ino }), { code: 'conflict' });
    });

    test('pause() and resume() freeze and thaw, and SIGKILL reaches a paused container', async (t) => {
      const { id } = await started(t, { args: ['sleep', '100'] });
      await runtime.pause(id);
      assert.equal((await runtime.state(id))?.status, 'paused');
      await runtime.resume(id);
      assert.equal((await runtime.state(id))?.status, 'running');
      await runtime.pause(id);
      await runtime.kill(id, 9);
      assert.equal((await runtime.wait(id, AbortSignal.timeout(60_000))).exitCode, 137);
    });

    test('update() changes a limit of a running container', async (t) => {
      const { id } = await started(t, { args: ['sleep', '100'] });
      await runtime.update(id, { pids: { limit: 77 } });
      const pid = (await runtime.state(id))?.pid ?? 0;
      const cgroups = await readFile(`/proc/${pid}/cgroup`, 'utf8');
      const v1 = /^\d+:pids:(.*)$/m.exec(cgroups)?.[1];
      const file =
        v1 === undefined ? `/sys/fs/cgroup${/^0::(.*)$/m.exec(cgroups)?.[1]}` : `/sys/fs/cgroup/pids${v1}`;
      assert.equal((await readFile(join(file, 'pids.max'), 'utf8')).trim(), '77');
    });

    test('a container killed for memory says so', async (t) => {
      const { id } = await started(t, { args: ['sh', '-c', 'tail /dev/zero'], memory: 16 << 20 });
      const exit = await runtime.wait(id);
      assert.equal(exit.exitCode, 137);
      assert.equal(exit.oomKilled, true);
      assert.equal((await runtime.exit(id))?.oomKilled, true);
    });

    test('a container whose monitor was killed ends with 137', async (t) => {
      const { id } = await started(t, { args: ['sleep', '100'] });
      const waiting = runtime.wait(id, AbortSignal.timeout(60_000));
      await killMonitors(run, id);
      assert.equal((await waiting).exitCode, 137);
      assert.equal((await runtime.exit(id))?.exitCode, 137);
      assert.equal((await runtime.state(id))?.status, 'stopped');
    });

    test('a new runtime on the same directory finds containers, their exits and their stdio', async (t) => {
      const ended = await started(t, { args: ['sh', '-c', 'exit 9'] });
      await runtime.wait(ended.id);
      const running = await started(t, { args: ['cat'], stdin: true });
      await using later = suite.open(run);
      assert.equal((await later.wait(ended.id)).exitCode, 9);
      assert.equal((await later.state(running.id))?.status, 'running');
      const waiting = later.wait(running.id);
      await using attachment = await later.attach(running.id);
      attachment.input.end('hello\n');
      assert.equal((await collect(attachment)).stdout, 'hello\n');
      assert.equal((await waiting).exitCode, 0);
    });

    test('exec() runs further processes with their own stdio and exit codes', async (t) => {
      const { id } = await started(t, { args: ['sleep', '100'] });
      assert.deepEqual(await execOutput(id, { args: ['sh', '-c', 'echo out; echo err >&2; exit 6'] }), {
        stdout: 'out\n',
        stderr: 'err\n',
        exitCode: 6,
      });
      assert.equal((await execOutput(id, { args: ['wc', '-c'] }, 'abc')).stdout, '3\n');
      assert.equal((await execOutput(id, { args: ['sh', '-c', 'kill -9 $$'] })).exitCode, 137);
      const user = await execOutput(id, { args: ['sh', '-c', 'id -u; echo x >/dev/stdout'], uid: 1000 });
      assert.equal(user.stdout, '1000\nx\n');
      const size = { height: 30, width: 40 };
      const terminal = await execOutput(id, { args: ['stty', 'size'], terminal: true, consoleSize: size });
      assert.equal(terminal.stdout, '30 40\r\n');
    });

    test('exec() ends with its process, whoever else holds its output', async (t) => {
      const { id } = await started(t, { args: ['sleep', '100'] });
      const result = await execOutput(id, { args: ['sh', '-c', 'sleep 50 & echo hi'] });
      assert.deepEqual(result, { stdout: 'hi\n', stderr: '', exitCode: 0 });
      assert.equal((await runtime.pids(id)).length, 2);
    });

    test('exec() carries 20 MB each way, and goes on when its client is gone', async (t) => {
      const { id } = await started(t, { args: ['sleep', '100'] });
      const start = async (...args: string[]) => {
        const execId = randomId();
        const { process } = runtimeSpec({ args, rootfs: '', cgroup: '' });
        const { attachment } = await runtime.exec(id, {
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
      assert.equal((await runtime.waitExec(id, cat.execId)).exitCode, 0);

      const left = await start(
        'sh',
        '-c',
        'for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done; yes | head -c 3000000; exit 4',
      );
      assert.equal(await firstLine(left.attachment), '1\n');
      await left.attachment[Symbol.asyncDispose]();
      assert.equal((await runtime.waitExec(id, left.execId, AbortSignal.timeout(60_000))).exitCode, 4);
      const unread = await start('sh', '-c', 'exec <&-; sleep 0.1; exit 5');
      unread.attachment.input.write(block);
      assert.equal((await runtime.waitExec(id, unread.execId, AbortSignal.timeout(60_000))).exitCode, 5);
      await unread.attachment[Symbol.asyncDispose]();
    });

    test('exec() has none of the engine’s descriptors and variables', async (t) => {
      const { id } = await started(t, { args: ['sleep', '100'] });
      const { stdout } = await execOutput(id, { args: ['sh', '-c', 'ls /proc/self/fd | wc -l; env'] });
      assert.match(stdout, /^4\n/);
      assert.doesNotMatch(stdout, /_OCI|TMPDIR|NODE|TZ=|GOGC/);
    });

    test('exec() whose monitor was killed ends with 137, its process too', async (t) => {
      const { id } = await started(t, { args: ['sleep', '100'] });
      const execId = randomId();
      const { process } = runtimeSpec({ args: ['sleep', '100'], rootfs: '', cgroup: '' });
      await runtime.exec(id, { execId, process, terminal: false, stdin: false, attach: false });
      const waiting = runtime.waitExec(id, execId, AbortSignal.timeout(60_000));
      await killMonitors(run, execId);
      assert.equal((await waiting).exitCode, 137);
      assert.equal((await runtime.state(id))?.status, 'running');
    });

    test('exec() without attach runs on its own and is waited for, also by a later runtime', async (t) => {
      const { id } = await started(t, { args: ['sleep', '100'] });
      const execId = randomId();
      const { process } = runtimeSpec({ args: ['sh', '-c', 'sleep 0.2; exit 8'], rootfs: '', cgroup: '' });
      const exec = await runtime.exec(id, { execId, process, terminal: false, stdin: false, attach: false });
      assert.ok(exec.pid > 0);
      assert.equal(exec.attachment, undefined);
      await using later = suite.open(run);
      const exits = await Promise.all([runtime.waitExec(id, execId), later.waitExec(id, execId)]);
      assert.deepEqual(
        exits.map((exit) => exit.exitCode),
        [8, 8],
      );
      await runtime.deleteExec(id, execId);
      await assert.rejects(runtime.waitExec(id, execId), (error) => codeOf(error) === 'notFound');
    });

    test('exec() says in Docker’s words why a command cannot run', async (t) => {
      const { id } = await started(t, { args: ['sleep', '100'] });
      const prefix = 'OCI runtime exec failed: exec failed: unable to start container process:';
      await assert.rejects(execOutput(id, { args: ['nope'] }), {
        code: 'invalidArgument',
        message: `${prefix} exec: "nope": executable file not found in $PATH: unknown`,
      });
      await assert.rejects(execOutput(id, { args: ['/etc/passwd'] }), {
        code: 'invalidArgument',
        message: `${prefix} exec: "/etc/passwd": permission denied: unknown`,
      });
      await runtime.kill(id, 9);
      await runtime.wait(id);
      await assert.rejects(execOutput(id, { args: ['true'] }), conflict);
    });

    test('delete() with force ends a running container and its execs', async (t) => {
      const { id } = await started(t, { args: ['sleep', '100'] });
      const execId = randomId();
      const { process } = runtimeSpec({ args: ['sleep', '100'], rootfs: '', cgroup: '' });
      await runtime.exec(id, { execId, process, terminal: false, stdin: false, attach: false });
      await assert.rejects(runtime.delete(id));
      await runtime.delete(id, { force: true });
      assert.equal(await runtime.state(id), undefined);
      assert.deepEqual(await monitorsOf(run, id), []);
    });
  });
}
