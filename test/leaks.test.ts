import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';

// Runs last, when no daemon of a test is alive: whatever carries our names now was left behind.

test('no overlay or bind mount is left behind', () => {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  assert.deepEqual(
    mounts.filter((line) => /\/gantry-[^ ]*\/(snapshots|volumes|containers)/.test(line)),
    [],
  );
});

test('no monitor or container process is left behind', () => {
  const commands = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        return ''; // It ended while we looked.
      }
    });
  assert.deepEqual(
    commands.filter((command) => /^\S*conmon .*gantry/.test(command) || /gantry-test/.test(command)),
    [],
  );
});

test('no bridge or veth is left behind', () => {
  const links = execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' }).split('\n');
  assert.deepEqual(
    links.filter((line) => /: gty/.test(line)),
    [],
  );
});

test('no network namespace is left behind', () => {
  const names = existsSync('/run/netns') ? readdirSync('/run/netns') : [];
  assert.deepEqual(
    names.filter((name) => name.startsWith('gty')),
    [],
  );
});

test('no nft table is left behind', () => {
  const tables = execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }).split('\n');
  assert.deepEqual(
    tables.filter((line) => /gantry|gty/.test(line)),
    [],
  );
});

test('no cgroup is left behind', () => {
  const roots = ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup').map((name) => `/sys/fs/cgroup/${name}`)];
  const left = roots.flatMap((root) => {
    try {
      return readdirSync(root)
        .filter((name) => name.startsWith('gantry-'))
        .map((name) => `${root}/${name}`);
    } catch {
      return []; // A plain file among the controllers.
    }
  });
  assert.deepEqual(left, []);
});
