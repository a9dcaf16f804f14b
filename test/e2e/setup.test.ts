import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { runCommand } from '../support/daemon.ts';
import { temporaryDirectory } from '../support/files.ts';

// scripts/setup.sh in a directory of its own, where every program is a stub but those of the shell, and tar is missing.

const own = ['cp', 'dirname', 'id', 'mktemp', 'rm', 'sh', 'tail'];
const stubs = ['runc', 'conmon', 'nft', 'ip', 'ps', 'busybox', 'tini-static', 'npm'];

/** Runs it with further stubs, name to script. */
function setUp(t: TestContext, more: Readonly<Record<string, string>> = {}, as: readonly string[] = []) {
  const directory = temporaryDirectory(t);
  chmodSync(directory, 0o755);
  for (const name of ['bin', 'scripts', 'node_modules']) mkdirSync(join(directory, name));
  copyFileSync(join(import.meta.dirname, '../../scripts/setup.sh'), join(directory, 'scripts/setup.sh'));
  for (const name of ['package-lock.json', 'scripts/build.sh']) writeFileSync(join(directory, name), '');
  const path = (name: string) => join(directory, 'bin', name);
  for (const name of own)
    symlinkSync(runCommand('sh', ['-c', `command -v ${name}`]).stdout.trim(), path(name));
  // An ldd that fails tells of a static program.
  const scripts = { ...Object.fromEntries(stubs.map((name) => [name, 'exit 0'])), ldd: 'exit 1', ...more };
  for (const [name, script] of Object.entries(scripts))
    writeFileSync(path(name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const [program = '', ...args] = [...as, '/bin/sh', join(directory, 'scripts/setup.sh')];
  const { code, stdout, stderr } = runCommand(program, args, {
    env: { PATH: join(directory, 'bin'), EXTRA_PACKAGES: '' },
  });
  return { code, stdout, stderr, directory };
}

test('setup.sh installs only what is missing, and says why', (t) => {
  const { code, stdout, stderr, directory } = setUp(t, { 'apt-get': 'echo "$@" >>"$0.calls"' });
  assert.equal(code, 0, stderr);
  assert.equal(
    stdout,
    'Installing missing system packages:\n  tar (packs and unpacks layers)\nInstalling Node 24 and the libraries (npm ci)\n',
  );
  assert.equal(
    readFileSync(join(directory, 'bin/apt-get.calls'), 'utf8'),
    'update -q\ninstall -y -q --no-install-recommends tar\n',
  );
});

test('setup.sh lists the packages for another user than root', (t) => {
  const as = ['/usr/bin/setpriv', '--reuid', '65534', '--clear-groups'];
  const { code, stdout, stderr } = setUp(t, { 'apt-get': 'exit 0' }, as);
  assert.deepEqual([code, stdout], [1, '']);
  assert.equal(stderr, 'Missing system packages: tar\nInstall them as root: apt-get install tar\n');
});

test('setup.sh lists the packages where there is no apt-get', (t) => {
  const { code, stdout, stderr } = setUp(t);
  assert.deepEqual([code, stdout], [1, '']);
  assert.equal(
    stderr,
    'Missing system packages (Debian names): tar\nThere is no apt-get here: install them by hand.\n',
  );
});

test('setup.sh lists the packages that apt-get did not install, with what it said', (t) => {
  const { code, stderr } = setUp(t, { 'apt-get': 'echo "E: not allowed"; exit 100' });
  assert.equal(code, 1);
  assert.equal(
    stderr,
    'E: not allowed\nCould not install: tar\nInstall these packages, then run this again.\n',
  );
});
