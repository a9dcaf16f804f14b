import assert from 'node:assert/strict';
import test from 'node:test';
import type { ContainerConfig, HostConfig } from '../api/index.ts';
import { type MountPointsDeps, makeMountPoints } from './mount-points.ts';

test('makeMountPoints() leaves what is below read-only binds writable for those who ask for it', async () => {
  const Mounts = [{ Type: 'bind', Source: '/', Target: '/mount', ReadOnly: true }];
  const hostConfig = { Binds: ['/:/bind:ro', '/:/written'], Mounts } as unknown as HostConfig;
  const below = async (writableBelow: boolean) => {
    const request = { containerId: 'c', config: {} as ContainerConfig, hostConfig, writableBelow };
    const mounts = await makeMountPoints(request, {} as MountPointsDeps);
    return mounts.filter((mount) => mount.writableBelow).map(({ Destination }) => Destination);
  };
  assert.deepEqual(await below(true), ['/bind', '/mount']);
  assert.deepEqual(await below(false), []);
});
