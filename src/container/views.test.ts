import assert from 'node:assert/strict';
import test from 'node:test';
import { type Container, newState } from './record.ts';
import { inspectView } from './views.ts';

test("inspectView() shows the MAC address that was asked for on the main network with the container's config", () => {
  const config = { Image: 'base' };
  const shown = (NetworkMode: string, endpoints: Readonly<Record<string, object>>) => {
    const hostConfig = { NetworkMode, LogConfig: { Type: 'none' } };
    const record = { id: 'i', name: '/n', config, hostConfig, endpoints, mounts: [] };
    const container = { record: record as unknown as Container['record'], state: newState };
    return inspectView(container, {
      paths: { directory: '/d', snapshot: { LowerDir: '', MergedDir: '', UpperDir: '', WorkDir: '' } },
      execIds: [],
      apparmorProfile: undefined,
      networkIds: () => undefined,
      store: { get: () => undefined },
    }).Config;
  };
  const asked = { MacAddress: '02:42:ac:11:00:99' };
  for (const [mode, network] of [
    ['bridge', 'bridge'],
    ['default', 'default'],
    ['default', 'bridge'],
    ['web', 'web'],
  ] as const) {
    assert.deepEqual(shown(mode, { [network]: asked, other: {} }), { ...config, ...asked }, network);
  }
  assert.deepEqual(shown('web', { web: { MacAddress: '' }, other: asked }), config);
  assert.deepEqual(shown('bridge', {}), config);
});
