import assert from 'node:assert/strict';
import test from 'node:test';
import type { ContainerInspect } from '../api/index.ts';
import { withIdAmongAliases } from './old-clients.ts';

test('withIdAmongAliases() adds short id and host name, on user-defined networks only', () => {
  const container = {
    Id: '0123456789abcdef',
    Config: { Hostname: 'box' },
    NetworkSettings: {
      Bridge: '',
      Networks: { bridge: { Aliases: null }, a: { Aliases: null }, b: { Aliases: ['db', 'box'] } },
    },
  } as unknown as ContainerInspect;
  const { Bridge, Networks } = withIdAmongAliases(container).NetworkSettings;
  assert.equal(Bridge, '');
  assert.deepEqual(
    Object.entries(Networks).map(([name, endpoint]) => [name, endpoint.Aliases]),
    [
      ['bridge', null],
      ['a', ['0123456789ab', 'box']],
      ['b', ['db', 'box', '0123456789ab']],
    ],
  );
});
