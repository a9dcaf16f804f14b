import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { startDaemon } from '../support/daemon.ts';

const gateway = '10.203.59.1';

/** A name server that knows one address by any name. It asks nobody. */
const server = `const socket = require('dgram').createSocket('udp4');
socket.on('message', (query, { port, address }) => {
  const end = query.indexOf(0, 12) + 5;
  const isA = query.readUInt16BE(end - 4) === 1;
  const answer = Buffer.from(isA ? 'c00c00010001000000050004c0000207' : '', 'hex');
  const head = Buffer.from(query.subarray(0, 12));
  head.set([0x81, 0x80, 0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0], 2);
  socket.send(Buffer.concat([head, query.subarray(12, end), answer]), port, address);
});
socket.bind(53, '${gateway}', () => console.log('ready'));`;

test("a container of the default bridge finds names by the host's name server", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-test-'));
  const resolvConf = join(directory, 'resolv.conf');
  writeFileSync(resolvConf, `nameserver ${gateway}\nsearch test.example\n`);
  // The daemon's host is one with that file.
  const script = `mount --bind ${resolvConf} /etc/resolv.conf && exec "$@"`;
  const wrapper = ['unshare', '--mount', 'sh', '-c', script, 'sh'];
  const engine = await startDaemon(t, { wrapper, args: ['--bip', `${gateway}/24`] });
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const names = spawn(process.execPath, ['-e', server], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => names.kill());
  await once(names.stdout, 'data');

  const run = (...command: string[]) => engine.ok(['run', '--rm', 'base:1', ...command]);
  assert.match(run('cat', '/etc/resolv.conf'), new RegExp(`^nameserver ${gateway}$`, 'm'));
  assert.match(run('nslookup', 'known.example'), /Name:\s+known\.example\nAddress(?: 1)?: 192\.0\.2\.7/);
  names.kill();
  // What it mounted is in its own mount namespace, where the next daemon does not see it.
  assert.equal(await engine.end('SIGTERM'), 0);
});
