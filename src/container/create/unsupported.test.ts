import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hostFacts } from '../../../test/support/host-facts.ts';
import type { HostConfig } from '../../api/index.ts';
import type { HostFacts } from '../host-facts.ts';
import { normalizeCreate } from './index.ts';

function create(HostConfig: Partial<HostConfig>, host: HostFacts) {
  const request = { Image: 'x', Cmd: ['x'], HostConfig };
  const logging = { driver: 'json-file', options: {} };
  return normalizeCreate({ request, image: {}, id: 'a' }, { host, runtimes: ['runc'], logging });
}

describe('normalizeCreate() warns of what the kernel cannot do, and leaves it out', () => {
  const lacks = (what: string, then: string) =>
    `Your kernel does not support ${what} or the cgroup is not mounted. ${then}`;
  const v1 = hostFacts;
  const v2: HostFacts = { ...v1, cgroupVersion: 2, swappiness: false, oomKillDisable: false };
  const weights = [{ Path: '/dev/null', Weight: 500 }];
  const PortBindings = { '80/tcp': [{ HostIp: '', HostPort: '80' }] };
  const rows: readonly (readonly [string, HostFacts, Partial<HostConfig>, Partial<HostConfig>, string?])[] = [
    ['v1', v1, { Memory: 64e6, MemorySwap: 96e6 }, { MemorySwap: 96e6 }],
    ['v2', v2, { Memory: 64e6, MemorySwap: 96e6 }, { MemorySwap: 96e6 }],
    [
      'no limit of swap',
      { ...v1, swapLimit: false },
      { Memory: 64e6 },
      { Memory: 64e6, MemorySwap: -1 },
      lacks('swap limit capabilities', 'Memory limited without swap.'),
    ],
    ['no limit of swap', { ...v2, swapLimit: false }, { Memory: 64e6, MemorySwap: -1 }, { MemorySwap: -1 }],
    ['v1', v1, { MemorySwappiness: 20 }, { MemorySwappiness: 20 }],
    [
      'v2',
      v2,
      { MemorySwappiness: 20 },
      { MemorySwappiness: null },
      lacks('memory swappiness capabilities', 'Memory swappiness discarded.'),
    ],
    ['v2', v2, { MemorySwappiness: -1 }, { MemorySwappiness: null }],
    ['v1', v1, { Memory: 64e6, OomKillDisable: true }, { OomKillDisable: true }],
    [
      'v1',
      v1,
      { OomKillDisable: true },
      { OomKillDisable: true },
      'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
    ],
    [
      'v2',
      v2,
      { Memory: 64e6, OomKillDisable: true },
      { OomKillDisable: null },
      'Your kernel does not support OomKillDisable. OomKillDisable discarded.',
    ],
    ['v1', v1, {}, { OomKillDisable: false }],
    ['v2', v2, {}, { OomKillDisable: null }],
    ['v2', v2, { BlkioWeight: 500 }, { BlkioWeight: 500 }],
    [
      'no weights',
      { ...v1, blkioWeight: false },
      { BlkioWeight: 500 },
      { BlkioWeight: 0 },
      lacks('Block I/O weight', 'Weight discarded.'),
    ],
    ['v1', v1, { BlkioWeightDevice: weights }, { BlkioWeightDevice: weights }],
    ['v2', v2, { BlkioWeightDevice: weights }, { BlkioWeightDevice: weights }],
    [
      'v2 without BFQ',
      { ...v2, blkioWeightDevice: false },
      { BlkioWeightDevice: weights },
      { BlkioWeightDevice: [] },
      lacks('Block I/O weight_device', 'Weight-device discarded.'),
    ],
    ['v1', v1, { Binds: ['/tmp:/z:ro,z'] }, { Binds: ['/tmp:/z:ro,z'] }],
    ['SELinux', { ...v2, selinux: true }, { Binds: ['/z:/Z', 'z:/z:ro'] }, { Binds: ['/z:/Z', 'z:/z:ro'] }],
    [
      'SELinux',
      { ...v2, selinux: true },
      { Binds: ['/tmp:/t:ro,Z'] },
      { Binds: ['/tmp:/t:ro,Z'] },
      'SELinux labels are not supported: what /tmp:/t:ro,Z binds keeps the label it has.',
    ],
    [
      'v1',
      v1,
      { NetworkMode: 'host', PortBindings },
      { PortBindings },
      'Published ports are discarded when using host network mode',
    ],
  ];
  for (const [name, facts, HostConfig, kept, warning] of rows) {
    test(`${name} ${JSON.stringify(HostConfig)}`, () => {
      const { hostConfig, warnings } = create(HostConfig, facts);
      assert.deepEqual({ ...hostConfig, ...kept }, hostConfig);
      assert.deepEqual(warnings, warning === undefined ? [] : [warning]);
    });
  }
});
