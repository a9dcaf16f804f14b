import assert from 'node:assert/strict';
import test from 'node:test';
import { defaultProfile, probeAppArmor } from './apparmor.ts';

test('defaultProfile() lets signals in from the engine, whatever confines it', () => {
  const signals = (daemon: string) => defaultProfile(daemon).match(/^ {2}signal \(receive\) .*$/gm);
  assert.deepEqual(signals('unconfined'), [
    '  signal (receive) peer="unconfined",',
    '  signal (receive) peer="runc",',
    '  signal (receive) peer="crun",',
  ]);
  assert.equal(signals('/usr/bin/node')?.at(-1), '  signal (receive) peer="/usr/bin/node",');
});

test('defaultProfile() denies mounting, and writing to the files of the kernel', () => {
  const denied: readonly string[] = defaultProfile('unconfined').match(/^ {2}deny \S+/gm) ?? [];
  for (const what of ['mount,', '/proc/*', '/sys/kernel/security/**', '/proc/{sysrq-trigger,kcore}']) {
    assert.ok(denied.includes(`  deny ${what}`), what);
  }
});

test('probeAppArmor() finds a profile only where the kernel has AppArmor', async () => {
  const { enabled, defaultProfileLoaded } = await probeAppArmor();
  assert.ok(enabled || !defaultProfileLoaded);
});
