import assert from 'node:assert/strict';
import test from 'node:test';
import { EngineError } from '../errors/index.ts';
import { select } from './list.ts';
import { type Container, newState } from './record.ts';

function container(name: string, more: Partial<Container['record']> = {}): Container {
  const record = {
    id: name.repeat(8),
    name: `/${name}`,
    created: '2026-01-01T00:00:00Z',
    mounts: [],
    ...more,
  };
  return { record: record as unknown as Container['record'], state: { ...newState, running: true } };
}

const notFound = () => {
  throw new EngineError('notFound', 'nothing is looked up here');
};

/** The names of those that pass. */
function selected(all: readonly Container[], filters: Readonly<Record<string, readonly string[]>>): string[] {
  const context = {
    store: { all: () => [...all], resolve: notFound },
    images: { resolve: notFound },
    networkIds: () => undefined,
  };
  const options = { all: false, size: false, filters: new Map(Object.entries(filters)) };
  return select(context, options).map(({ record }) => record.name);
}

test('select() finds a mount by its volume, by its source where it has none, and by its place', () => {
  const mount = { Mode: '', RW: true, Propagation: '' };
  const all = [
    container('binds', { mounts: [{ ...mount, Type: 'bind', Source: '/srv/data', Destination: '/data' }] }),
    container('keeps', {
      mounts: [{ ...mount, Type: 'volume', Name: 'vol', Source: '/root/vol/_data', Destination: '/data' }],
    }),
  ];
  assert.deepEqual(selected(all, { volume: ['/srv/data'] }), ['/binds']);
  assert.deepEqual(selected(all, { volume: ['vol'] }), ['/keeps']);
  assert.deepEqual(selected(all, { volume: ['/root/vol/_data'] }), []);
  assert.deepEqual(selected(all, { volume: ['/data'] }), ['/binds', '/keeps']);
});

test('select() lets everything that runs pass filters without values, but for those of what a container uses', () => {
  const stopped = { ...container('ended'), state: newState };
  const all = [container('lives'), stopped];
  for (const key of ['exited', 'expose', 'health', 'id', 'label', 'name', 'publish', 'status']) {
    assert.deepEqual(selected(all, { [key]: [] }), ['/lives'], key);
  }
  for (const key of ['ancestor', 'network', 'volume'])
    assert.deepEqual(selected(all, { [key]: [] }), [], key);
});
