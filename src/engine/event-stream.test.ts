import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { type EventMessage, type EventType, parseFilters } from '../api/index.ts';
import { isCode } from '../errors/index.ts';
import { type Metadata, openMetadata } from '../metadata/index.ts';
import { eventStream } from './event-stream.ts';

const keys = ['type', 'event', 'container', 'image', 'label', 'network'];

async function open(t: TestContext): Promise<Metadata> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-events-'));
  const metadata = openMetadata(join(directory, 'gantry.db'));
  t.after(async () => {
    await metadata[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });
  return metadata;
}

function record(metadata: Metadata, type: EventType, action: string, id: string, attributes = {}): void {
  metadata.transact((transaction) => {
    transaction.record({ type, action, id, attributes });
  });
}

async function stored(metadata: Metadata, filters: object = {}): Promise<string[]> {
  const now = BigInt(Date.now() + 1) * 1_000_000n;
  const query = { sinceNano: 0n, untilNano: now, filters: parseFilters(JSON.stringify(filters), keys) };
  const events = await Array.fromAsync(eventStream(metadata.journal, query, new AbortController().signal));
  return events.map(({ Action, Actor }) => `${Actor.ID} ${Action}`);
}

test('eventStream() ends after the stored rows when until has passed', async (t) => {
  const metadata = await open(t);
  record(metadata, 'container', 'create', 'c1');
  record(metadata, 'container', 'start', 'c1');
  assert.deepEqual(await stored(metadata), ['c1 create', 'c1 start']);
});

test('eventStream() gives all stored rows, more than it holds at once', async (t) => {
  const metadata = await open(t);
  const ids = Array.from({ length: 2_500 }, (_, n) => String(n));
  metadata.transact((transaction) => {
    for (const id of ids) transaction.record({ type: 'container', action: 'create', id, attributes: {} });
  });
  assert.deepEqual(
    await stored(metadata),
    ids.map((id) => `${id} create`),
  );
});

test('eventStream() gives live rows only without a time, each once', async (t) => {
  const metadata = await open(t);
  record(metadata, 'container', 'create', 'old');
  const stop = new AbortController();
  const seen: string[] = [];
  const reading = (async () => {
    for await (const event of eventStream(metadata.journal, { filters: new Map() }, stop.signal)) {
      seen.push(event.Actor.ID);
      if (event.Actor.ID === 'last') return;
    }
  })();
  await new Promise((resolve) => setImmediate(resolve));
  record(metadata, 'container', 'create', 'a');
  record(metadata, 'container', 'create', 'b');
  record(metadata, 'container', 'create', 'last');
  await reading;
  assert.deepEqual(seen, ['a', 'b', 'last']);
});

test('eventStream() loses nothing for a slow reader', async (t) => {
  const metadata = await open(t);
  const stop = new AbortController();
  const events = eventStream(metadata.journal, { filters: new Map() }, stop.signal);
  const next = async () => {
    const result: IteratorResult<EventMessage, void> = await events.next();
    return result.done === true ? '' : result.value.Actor.ID;
  };
  const first = next();
  metadata.transact((transaction) => {
    for (let n = 0; n < 2_500; n++) {
      transaction.record({ type: 'container', action: 'create', id: String(n), attributes: {} });
    }
  });
  const ids = [await first];
  while (ids.length < 2_500) ids.push(await next());
  assert.deepEqual(
    ids,
    Array.from({ length: 2_500 }, (_, n) => String(n)),
  );
  await events.return(undefined);
});

test('eventStream() ends with the signal and at until', async (t) => {
  const metadata = await open(t);
  const stop = new AbortController();
  const next = eventStream(metadata.journal, { filters: new Map() }, stop.signal).next();
  stop.abort();
  await assert.rejects(next, (error) => isCode(error, 'cancelled'));

  const soon = BigInt(Date.now() + 50) * 1_000_000n;
  const query = { untilNano: soon, filters: new Map<string, string[]>() };
  const live = await Array.fromAsync(eventStream(metadata.journal, query, new AbortController().signal));
  assert.deepEqual(live, []);
});

test('eventStream() filters: keys all, values any, objects by prefix, labels all', async (t) => {
  const metadata = await open(t);
  record(metadata, 'container', 'start', 'abc', { name: 'web', image: 'nginx:1', tier: 'front' });
  record(metadata, 'container', 'exec_start: ls', 'abc', { name: 'web', image: 'nginx:1' });
  record(metadata, 'image', 'tag', 'sha256:1', { name: 'nginx:1' });
  record(metadata, 'network', 'connect', 'n1', { name: 'bridge', container: 'abc' });
  assert.deepEqual(await stored(metadata, { type: ['image', 'network'] }), ['sha256:1 tag', 'n1 connect']);
  assert.deepEqual(await stored(metadata, { event: ['exec_start'] }), ['abc exec_start: ls']);
  assert.deepEqual(await stored(metadata, { container: ['we'], event: ['start'] }), ['abc start']);
  assert.deepEqual(await stored(metadata, { image: ['nginx'] }), [
    'abc start',
    'abc exec_start: ls',
    'sha256:1 tag',
  ]);
  assert.deepEqual(await stored(metadata, { label: ['tier=front'] }), ['abc start']);
  assert.equal((await stored(metadata, { type: [], container: [] })).length, 4);
  assert.deepEqual(await stored(metadata, { label: ['tier', 'tier=back'] }), []);
});
