import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectRequest } from '../conformance/networks.ts';
import { ask, outside, publish, recovered, serve, serveIn, sh } from '../support/networks-host.ts';
import { until } from '../support/until.ts';

// What changes of the firewall that run at the same time leave. Runs in a network namespace of its own: see
// src/network/create-networks.test.ts.

/** From now on nft waits a while before each script that speaks of `slow`, but not of `quick`. */
function slowNft(t: TestContext, { slow, quick }: { readonly slow: string; readonly quick: string }): void {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-network-'));
  const path = process.env['PATH'];
  const program = `#!/bin/sh
script=$(cat)
case $script in *'${quick}'*) ;; *'${slow}'*) sleep 0.5 ;; esac
printf '%s\\n' "$script" | PATH='${path}' exec nft "$@"
`;
  writeFileSync(join(directory, 'nft'), program, { mode: 0o755 });
  process.env['PATH'] = `${directory}:${path}`;
  t.after(() => {
    process.env['PATH'] = path;
    rmSync(directory, { recursive: true });
  });
}

const forwardChain = 'type filter hook forward priority 10; reject with icmpx type admin-prohibited;';
const firewalld = (flags = '') =>
  `table inet firewalld { ${flags} chain filter_FORWARD { ${forwardChain} }; }`;

test('containers reach the outside past firewalld', async (t) => {
  sh(`nft '${firewalld()}'`);
  t.after(() => sh('nft delete table inet firewalld'));
  const { networks } = await recovered(t);
  const a = await networks.connect(connectRequest('a'));
  await serve(t, outside.namespace, 7004);
  assert.equal(ask(basename(a.namespacePath), outside.address, 7004), outside.host);
  await networks.release('a'.repeat(64), a);
  await networks.shutdown({ keep: true });
  assert.doesNotMatch(sh('nft list table inet firewalld'), /gantry/);
});

test('a firewall that alone can change its table keeps no engine from starting, nor others from being opened', async (t) => {
  const owner = spawn('nft', ['-i'], { stdio: ['pipe', 'ignore', 'inherit'] });
  t.after(() => owner.kill('SIGKILL'));
  owner.stdin.write(`${firewalld('flags owner;')}\n`);
  await until(() => sh('nft list tables').includes('firewalld'), 'nft makes no table');
  sh('iptables-nft -P FORWARD DROP');
  t.after(() => sh('iptables-nft -P FORWARD ACCEPT'));
  const { instance, warnings } = await recovered(t);
  assert.match(warnings.join('\n'), /^Cannot let containers through .*inet firewalld filter_FORWARD"$/);
  assert.match(sh('nft list chain ip filter FORWARD'), new RegExp(`gantry-${instance}`));
});

const subnet = (Subnet: string) => ({ IPAM: { Config: [{ Subnet }] } });

test('a network that is made while another goes has its rules', async (t) => {
  const { networks, instance } = await recovered(t);
  await networks.create({ Name: 'old', ...subnet('10.88.1.0/24') });
  slowNft(t, { slow: 'forward', quick: '10.88.2.0/24' });
  await Promise.all([networks.create({ Name: 'new', ...subnet('10.88.2.0/24') }), networks.remove('old')]);
  const rules = sh(`nft list table ip gantry-${instance}`);
  assert.match(rules, /10\.88\.2\.0\/24/);
  assert.doesNotMatch(rules, /10\.88\.1\.0\/24/);
});

test('a port that is published while the table is made anew is published', async (t) => {
  const { networks, instance } = await recovered(t);
  const a = await networks.connect(connectRequest('a', publish('', '8101')));
  slowNft(t, { slow: 'delete table', quick: '8102' });
  sh(`nft delete table ip gantry-${instance}`);
  const released = networks.release('a'.repeat(64), a);
  await sleep(100);
  const b = await networks.connect(connectRequest('b', publish('', '8102')));
  await released;
  await serveIn(t, b, 80);
  assert.equal(ask(undefined, '127.0.0.1', 8102), networks.gateway);
  assert.doesNotMatch(sh(`nft list table ip gantry-${instance}`), /8101/);
});
