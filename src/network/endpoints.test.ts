import assert from 'node:assert/strict';
import test from 'node:test';
import { EngineError } from '../errors/index.ts';
import { Endpoints } from './endpoints.ts';
import type { NetworkRecord } from './records.ts';

const web: NetworkRecord = {
  id: 'web',
  name: 'web',
  createdAtMs: 0,
  driver: 'bridge',
  bridge: { device: 'br-web', subnet: '10.99.7.0/29', gateway: '10.99.7.1', mtu: 1500 },
  options: {},
  labels: {},
  internal: false,
  attachable: false,
};
const address = '10.99.7.2';
const taken = new EngineError('forbidden', 'Address already in use');

test('an address that was held stays taken until its interface is gone, and is freed once', () => {
  const endpoints = new Endpoints();
  assert.equal(endpoints.reserve(web, address), address);
  endpoints.hold('a', { web: address });
  endpoints.letGo('a');
  assert.throws(() => endpoints.reserve(web, address), taken);
  endpoints.free('web', address);
  assert.equal(endpoints.reserve(web, address), address);
});

test('an address is held for its container, whatever is freed, and free when nobody took it', () => {
  const endpoints = new Endpoints();
  endpoints.hold('a', { web: address });
  endpoints.free('web', address);
  assert.throws(() => endpoints.reserve(web, address, 'b'), taken);
  assert.equal(endpoints.freeCount(web), 4);
  assert.equal(endpoints.reserve(web, undefined, 'b'), '10.99.7.3');
  assert.equal(endpoints.reserve(web, undefined, 'a'), address);
  endpoints.letGo('a');
  assert.throws(() => endpoints.reserve(web, address), taken);
  endpoints.hold('c', { web: '10.99.7.4' });
  endpoints.letGo('c');
  assert.equal(endpoints.reserve(web, '10.99.7.4'), '10.99.7.4');
});
