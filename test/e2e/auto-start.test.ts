import assert from 'node:assert/strict';
import { mkdirSync, rmdirSync } from 'node:fs';
import test from 'node:test';
import { defaultRoot } from '../../src/config/index.ts';
import { type CommandResult, gantryPath, runCommand } from '../support/daemon.ts';

// The daemon that a command starts by itself. It has the default root and socket: here those of namespaces that end
// with the test, and its daemon with them.

function alone(script: string): CommandResult {
  const made = mkdirSync(defaultRoot, { recursive: true });
  const own = ['/run', defaultRoot, '/sys/fs/cgroup'].map((path) => `mount -t tmpfs tmpfs ${path}`);
  const lines = ['set -e', ...own, 'ip link set lo up', 'set +e', script];
  const namespaces = ['--mount', '--mount-proc', '--net', '--pid', '--fork', '--kill-child'];
  const result = runCommand('unshare', [...namespaces, 'sh', '-c', lines.join('\n'), 'sh', gantryPath], {
    env: { GANTRY_HOST: '', DOCKER_HOST: '' },
    timeoutMs: 480_000,
  });
  if (made !== undefined) rmdirSync(made);
  return result;
}

test('commands at the same time start one daemon, which answers them all', () => {
  const { stdout, stderr } = alone(`
    "$1" ps -q & first=$!
    "$1" images -q & second=$!
    wait $first; echo "first $?"
    wait $second; echo "second $?"
    "$1" ps -q; echo "third $?"
    grep -c '"msg":"ready"' /var/lib/gantry/daemon.log`);
  assert.equal(stdout, 'first 0\nsecond 0\nthird 0\n1\n', stderr);
});

test('a daemon that does not start is told with the end of its log', () => {
  const { code, stdout, stderr } = alone(`
    mount --bind /dev/null "$(command -v runc)"
    "$1" ps`);
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(
    stderr,
    /^Cannot connect to the Gantry daemon at unix:\/\/\/run\/gantry\/gantry\.sock, and starting one failed\. The end of \/var\/lib\/gantry\/daemon\.log:\n.*install the package "runc"/,
  );
});

test('whoever has the default root but listens elsewhere is waited for only while it may be starting', () => {
  const { code, stderr } = alone(`
    "$1" daemon --host unix:///run/other.sock 2>/dev/null &
    until "$1" -H unix:///run/other.sock ps -q 2>/dev/null; do sleep 0.1; done
    touch -d "5 minutes ago" /var/lib/gantry/lock
    timeout 150 "$1" ps`);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /\/var\/lib\/gantry is in use by the daemon with process id \d+/);
});
