import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { type EngineOptions, engineConfig } from '../../src/config/index.ts';
import { type Metadata, openMetadata } from '../../src/metadata/index.ts';
import { type Connection, createNetworks, type Networks } from '../../src/network/index.ts';

// A host for engines' networks, with a neighbour on a wire beside it. The network namespace that imports this is the
// host: see src/network/create-networks.test.ts.

export const outside = { namespace: 'outside', address: '203.0.113.2', host: '203.0.113.1' };

export function sh(command: string): string {
  return execFileSync('sh', ['-c', command], { encoding: 'utf8' });
}

assert.equal(sh('ip route show default'), '', 'it would take over the network of this machine');
sh(`ip netns add outside
ip link add up0 type veth peer name eth0 netns outside
ip addr add ${outside.host}/24 dev up0
ip link set up0 up
ip route add default via ${outside.address}
ip -n outside addr add ${outside.address}/24 dev eth0
ip -n outside link set eth0 up
ip -n outside link set lo up`);
writeFileSync('/proc/sys/net/ipv4/ip_forward', '0');

export interface Fixture {
  readonly networks: Networks;
  readonly metadata: Metadata;
  readonly instance: string;
  /** What all of its engines warned of. */
  readonly warnings: readonly string[];
  readonly again: (options?: { readonly poolSize?: number }) => Networks;
}

export function fixture(
  t: TestContext,
  options: EngineOptions & { readonly poolSize?: number } = {},
): Fixture {
  const root = mkdtempSync(join(tmpdir(), 'gantry-network-'));
  const config = engineConfig({ ...options, root });
  const metadata = openMetadata(join(root, 'gantry.db'));
  const made: Networks[] = [];
  const warnings: string[] = [];
  const onWarning = (message: string) => void warnings.push(message);
  const make = ({ poolSize = options.poolSize ?? 0 } = {}) => {
    const networks = createNetworks({ config, metadata, poolSize, onWarning });
    made.push(networks);
    return networks;
  };
  t.after(async () => {
    for (const networks of made) await networks.shutdown({ keep: false });
    await metadata[Symbol.asyncDispose]();
    rmSync(root, { recursive: true, force: true });
  });
  return { networks: make(), metadata, instance: config.instance, warnings, again: make };
}

export async function recovered(
  t: TestContext,
  options: EngineOptions & { readonly poolSize?: number } = {},
) {
  const made = fixture(t, options);
  await made.networks.recover([]);
  return made;
}

/** Everything of an engine that the kernel holds. */
export function traces(instance: string): string {
  return sh(`{ ip -o link; ip netns; nft list ruleset; } | grep -e ${instance} || true`);
}

export function inside(connection: Connection, command: string): string {
  return sh(`ip netns exec ${basename(connection.namespacePath)} ${command}`);
}

/** Starts a server in a namespace that answers each connection, or datagram, with its peer's address. */
export async function serve(t: TestContext, namespace: string, port: number, kind: 'tcp' | 'udp' = 'tcp') {
  const tcp = `require('net').createServer((s) => s.end(s.remoteAddress)).listen(${port}, '0.0.0.0', ready)`;
  const udp = `const s = require('dgram').createSocket('udp4');
    s.on('message', (m, from) => s.send(from.address, from.port, from.address)).bind(${port}, ready)`;
  const program = `const ready = () => console.log('ready'); ${kind === 'tcp' ? tcp : udp}`;
  const child: ChildProcess = spawn('ip', ['netns', 'exec', namespace, process.execPath, '-e', program]);
  t.after(() => child.kill('SIGKILL'));
  assert.ok(child.stdout);
  await once(child.stdout, 'data');
}

export async function serveIn(
  t: TestContext,
  connection: Connection,
  port: number,
  kind: 'tcp' | 'udp' = 'tcp',
) {
  await serve(t, basename(connection.namespacePath), port, kind);
}

/** What a server at the address answers; '' where none does within a second. */
export function ask(namespace: string | undefined, host: string, port: number): string {
  return execFileSync('env', asking(namespace, host, port), { encoding: 'utf8' });
}

/** The same, where this process itself may be the one that answers. */
export async function askRelay(namespace: string | undefined, host: string, port: number): Promise<string> {
  return (await promisify(execFile)('env', asking(namespace, host, port))).stdout;
}

function asking(namespace: string | undefined, host: string, port: number): string[] {
  const program = `const s = require('net').connect(${port}, '${host}'); s.setTimeout(1000, () => s.destroy());
    s.on('error', () => {}); s.pipe(process.stdout)`;
  const where = namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace];
  return [...where, process.execPath, '-e', program];
}

/** The same of a server by UDP, asked always from one port of the namespace. */
export function askUdp(namespace: string, host: string, port: number): string {
  const program = `const s = require('dgram').createSocket('udp4');
    s.on('message', (m) => { process.stdout.write(m); s.close(); });
    s.bind(9999, () => s.send('x', ${port}, '${host}'));
    setTimeout(() => process.exit(), 1000).unref()`;
  return execFileSync('ip', ['netns', 'exec', namespace, process.execPath, '-e', program], {
    encoding: 'utf8',
  });
}

export function addressOf(connection: Connection): string {
  return connection.endpoints['bridge']?.IPAddress ?? '';
}

export function publish(HostIp: string, HostPort: string, port = '80/tcp') {
  return { portBindings: { [port]: [{ HostIp, HostPort }] } };
}
