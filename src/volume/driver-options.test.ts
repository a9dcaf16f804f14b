import assert from 'node:assert/strict';
import test from 'node:test';
import { isCode } from '../errors/index.ts';
import { mountArguments, mountOptions } from './driver-options.ts';

const resolve = async (host: string) => (host === 'files.example' ? '192.0.2.7' : host);

for (const [what, options, expected] of [
  [
    'an nfs server by address, as the kernel wants it',
    { type: 'nfs', device: ':/export', o: 'addr=192.0.2.5,rw,nfsvers=4' },
    ['--internal-only', '-t', 'nfs', '-o', 'addr=192.0.2.5,rw,nfsvers=4', '--', ':/export'],
  ],
  [
    'an nfs server by name, resolved',
    { type: 'nfs', device: ':/export', o: 'rw,addr=files.example' },
    ['--internal-only', '-t', 'nfs', '-o', 'rw,addr=192.0.2.7', '--', ':/export'],
  ],
  [
    "an nfs device that names its server, by mount's helper",
    { type: 'nfs', device: 'files.example:/export', o: 'ro' },
    ['-t', 'nfs', '-o', 'ro', '--', 'files.example:/export'],
  ],
  [
    'a tmpfs',
    { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' },
    ['-t', 'tmpfs', '-o', 'size=1m', '--', 'tmpfs'],
  ],
] as const) {
  test(`mountArguments() of ${what}`, async () => {
    assert.deepEqual(await mountArguments(options, resolve), expected);
  });
}

test('mountOptions() says when the server has no address', async () => {
  const options = { type: 'nfs', device: ':/export', o: 'addr=nobody.invalid' };
  await assert.rejects(mountOptions('/nonexistent', options), (error: Error) => {
    assert.ok(isCode(error, 'internal'));
    assert.match(error.message, /error resolving passed in network volume address: .*nobody\.invalid/);
    return true;
  });
});
