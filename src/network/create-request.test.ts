import assert from 'node:assert/strict';
import test from 'node:test';
import { chooseSubnet } from './addresses.ts';
import { recordOf } from './create-request.ts';

const subnets = { pools: [], choose: () => chooseSubnet([]) };

test('recordOf() draws ids until the name of the bridge is free', () => {
  const taken = new Set('0123456789abcde');
  const { id, bridge } = recordOf({ Name: 'x' }, subnets, {
    taken,
    of: (networkId) => networkId.slice(0, 1),
  });
  assert.equal(bridge?.device, 'f');
  assert.match(id, /^f[0-9a-f]{63}$/);
});
