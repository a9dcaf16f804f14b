import assert from 'node:assert/strict';
import test from 'node:test';
import { type Metadata, openMetadata, type TransactOptions } from '../metadata/index.ts';
import type { ImageId } from '../oci/index.ts';
import { defaultHostConfig } from './create/host-config.ts';
import { mergeImageConfig } from './create/image-config.ts';
import { initialHealth } from './health.ts';
import type { HostFacts } from './host-facts.ts';
import { type ContainerRecord, newState } from './record.ts';
import { ContainerStore } from './store.ts';

const record: ContainerRecord = {
  id: 'c1',
  name: '/app',
  created: new Date().toISOString(),
  imageId: 'sha256:0' as ImageId,
  config: mergeImageConfig({ Image: 'base', Cmd: ['sh'] }, {}),
  hostConfig: defaultHostConfig(
    {},
    {
      host: { cgroupVersion: 2, thermalThrottlePaths: [] as readonly string[] } as HostFacts,
      runtime: 'runc',
      logging: { driver: 'json-file', options: {} },
    },
  ),
  endpoints: {},
  mounts: [],
};

test('what a health check found is stored, and waits for no disk', async () => {
  await using metadata = openMetadata(':memory:');
  const asked: TransactOptions[] = [];
  const watched: Metadata = {
    ...metadata,
    transact: (change, options = {}) => {
      asked.push(options);
      return metadata.transact(change, options);
    },
  };
  const store = new ContainerStore(watched);
  store.insert({ record, state: { ...newState, running: true } });
  store.noteHealth('c1', { ...initialHealth, Status: 'healthy' }, { action: 'health_status: healthy' });
  store.transition('c1', (state) => ({ ...state, running: false }));
  assert.deepEqual(
    asked.map(({ durable = true }) => durable),
    [true, false, true],
  );
  assert.equal(new ContainerStore(metadata).get('c1')?.state.health?.Status, 'healthy');
  assert.equal([...metadata.journal.read({})].at(-1)?.action, 'health_status: healthy');
});
