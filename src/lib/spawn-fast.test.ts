import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import test from 'node:test';
import { type Stdio, spawnFast } from './spawn-fast.ts';

const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', GREETING: 'hello' };

/** Not close-on-exec in this process, so not made by Node or by us. */
function isInherited(fd: string): boolean {
  const flags = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0';
  return (Number.parseInt(flags, 8) & 0o2000000) === 0;
}

function shell(script: string, stdio: readonly Stdio[] = ['null', 'write', 'write']) {
  return spawnFast('sh', ['-c', script], { cwd: '/tmp', env, stdio });
}

test('spawnFast() gives the program its arguments, environment, directory and pipes', async () => {
  const child = shell('echo "$GREETING from $(pwd)"; echo err >&2; read line <&3; echo "$line"', [
    'null',
    'write',
    'write',
    'read',
  ]);
  const [, stdout, stderr, input] = child.stdio;
  input?.end('a line\n');
  assert.equal(await text(stdout as Readable), 'hello from /tmp\na line\n');
  assert.equal(await text(stderr as Readable), 'err\n');
  assert.equal(await child.exited, 0);
});

test('spawnFast() tells the exit code, and 128 + n after a signal', async () => {
  assert.equal(await shell('exit 7').exited, 7);
  assert.equal(await shell('kill -9 $$').exited, 137);
});

test('spawnFast() passes no other descriptor and no ignored signal, in a session of its own', async () => {
  const child = shell(
    'echo $$; ls /proc/self/fd; grep SigIgn /proc/self/status; cut -d" " -f6 /proc/$$/stat',
  );
  const [, stdout, stderr] = child.stdio;
  stderr?.resume();
  const [pid, ...rest] = (await text(stdout as Readable)).trim().split('\n');
  const session = rest.pop();
  const ignored = BigInt(`0x${rest.pop()?.split('\t')[1] ?? ''}`);
  assert.deepEqual([pid, session], [String(child.pid), String(child.pid)]);
  assert.equal(ignored & ((1n << 12n) | (1n << 24n)), 0n);
  // 3 is the directory that ls reads; whoever started the tests may have left us others.
  assert.deepEqual(
    rest.filter((fd) => Number(fd) > 3 && !isInherited(fd)),
    [],
  );
  assert.equal(await child.exited, 0);
});

test('spawnFast() leaves no descriptor open and no zombie', async () => {
  const before = readdirSync('/proc/self/fd').length;
  for (let i = 0; i < 20; i++) {
    const child = shell('true');
    const pipes = child.stdio.flatMap((pipe) => pipe ?? []);
    for (const pipe of pipes) pipe.resume();
    await Promise.all([child.exited, ...pipes.map((pipe) => once(pipe, 'close'))]);
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(readdirSync('/proc/self/fd').length <= before);
});

test('spawnFast() names the package of a missing program', () => {
  assert.throws(() => spawnFast('conmon', [], { cwd: '/', env: { PATH: '/nonexistent' }, stdio: [] }), {
    code: 'unavailable',
    message: 'Cannot run conmon: the program is missing: install the package "conmon"',
  });
});
