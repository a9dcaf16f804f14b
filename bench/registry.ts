/**
 * Measures a registry: clients push blobs side by side, each its own, and pull them back.
 *
 *     node bench/registry.ts URL [--clients 32] [--rounds 4] [--mib 8] [--pid PID]
 *
 * With the process id of the registry its processor time, which a busy machine hardly changes, and its highest
 * resident memory are told too.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    clients: { type: 'string', default: '32' },
    rounds: { type: 'string', default: '4' },
    mib: { type: 'string', default: '8' },
    pid: { type: 'string' },
  },
});
const base = new URL(positionals[0] ?? 'http://127.0.0.1:5000');
const clients = Number(values.clients);
const rounds = Number(values.rounds);
const size = Math.floor(Number(values.mib) * 2 ** 20);
const agent = new Agent({ keepAlive: true, maxSockets: clients });
const run = randomBytes(4).toString('hex');

async function send(options: RequestOptions & { readonly path: string }, body?: Buffer) {
  const sent = request(new URL(options.path, base), { agent, ...options });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

async function drain(response: IncomingMessage): Promise<number> {
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) bytes += chunk.length;
  return bytes;
}

async function push(repository: string, blob: { readonly bytes: Buffer; readonly digest: string }) {
  const begun = await send({ method: 'POST', path: `/v2/${repository}/blobs/uploads/` });
  await drain(begun);
  const place = new URL(begun.headers.location ?? '', base);
  place.searchParams.set('digest', blob.digest);
  const headers = { 'content-type': 'application/octet-stream', 'content-length': blob.bytes.length };
  const done = await send({ method: 'PUT', path: `${place.pathname}${place.search}`, headers }, blob.bytes);
  await drain(done);
  if (done.statusCode !== 201) throw new Error(`push: ${done.statusCode}`);
}

async function pull(repository: string, digest: string) {
  const response = await send({ path: `/v2/${repository}/blobs/${digest}` });
  if ((await drain(response)) !== size) throw new Error(`pull: ${response.statusCode}`);
}

/** Runs the work once for each client and round; the seconds it took. */
async function measure(work: (client: number, round: number) => Promise<void>): Promise<number> {
  const start = performance.now();
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      for (let round = 0; round < rounds; round++) await work(client, round);
    }),
  );
  return (performance.now() - start) / 1_000;
}

// Prepared beforehand, so that only the registry and the connections are measured.
const blobs = Array.from({ length: clients }, () =>
  Array.from({ length: rounds }, () => {
    const bytes = Buffer.alloc(size, randomBytes(4_096));
    randomBytes(32).copy(bytes);
    return { bytes, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` };
  }),
);
const repositoryOf = (client: number) => `bench/${run}-${client}`;
const blobOf = (client: number, round: number) => {
  const blob = blobs[client]?.[round];
  if (blob === undefined) throw new Error('no such blob');
  return blob;
};
const mib = (clients * rounds * size) / 2 ** 20;

/** Seconds of processor time the registry has used. */
function processorSeconds(): number {
  if (values.pid === undefined) return Number.NaN;
  const fields = readFileSync(`/proc/${values.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function report(name: string, work: (client: number, round: number) => Promise<void>) {
  const before = processorSeconds();
  const seconds = await measure(work);
  const used = ((processorSeconds() - before) * 1_024) / mib;
  const cpu = values.pid === undefined ? '' : ` (${used.toFixed(2)} s of processor for 1 GiB)`;
  return `${name} ${(mib / seconds).toFixed(0)} MiB/s${cpu}`;
}

const lines = [
  await report('push', (client, round) => push(repositoryOf(client), blobOf(client, round))),
  await report('pull', (client, round) => pull(repositoryOf(client), blobOf(client, round).digest)),
];
agent.destroy();
if (values.pid !== undefined) {
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${values.pid}/status`, 'utf8'))?.[1];
  lines.push(`memory ${Math.round(Number(peak) / 1_024)} MiB`);
}
process.stdout.write(`${clients} clients, ${mib} MiB: ${lines.join(', ')}\n`);
