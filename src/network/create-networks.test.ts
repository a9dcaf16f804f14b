import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const isolated = '--isolated';

// The suites change addresses, routes and firewall rules: they get a host of its own, as far as the kernel goes.
if (process.argv.includes(isolated)) {
  await import('../../test/integration/networks-suite.ts');
  await import('../../test/integration/networks-names-suite.ts');
  await import('../../test/integration/networks-neighbours-suite.ts');
  await import('../../test/integration/networks-options-suite.ts');
  await import('../../test/integration/networks-pool-suite.ts');
  await import('../../test/integration/networks-rules-suite.ts');
} else {
  test('the networks suites pass in a network namespace of its own', () => {
    const script = 'mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"';
    // The runner's limit for a test does not reach the tests of a child.
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', '--test-timeout=600000'];
    const { status, signal, error, stdout, stderr } = spawnSync(
      'unshare',
      ['-n', '-m', 'sh', '-c', script, 'sh', ...node, fileURLToPath(import.meta.url), isolated],
      {
        encoding: 'utf8',
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
        timeout: 3_600_000,
        killSignal: 'SIGKILL',
        maxBuffer: 64 << 20,
      },
    );
    assert.equal(status, 0, `${signal ?? ''} ${error?.message ?? ''}\n${stdout}\n${stderr}`);
  });
}
