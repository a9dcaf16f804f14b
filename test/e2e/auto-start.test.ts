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
    timeoutMs: 120_000,
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
