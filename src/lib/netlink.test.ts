import assert from 'node:assert/strict';
import test from 'node:test';
import { attribute, attributesOf, NetlinkFlag, NetlinkSocket, nested } from './netlink.ts';

// linux/rtnetlink.h
const route = 0;
const getLink = 18;
const nameAttribute = 3;

/** `ifinfomsg`: a family, a type, an index, flags and a mask. */
function linkRequest(index: number): Buffer {
  const body = Buffer.alloc(16);
  body.writeInt32LE(index, 4);
  return body;
}

test('ask() gives every message of a dump, each with its attributes', () => {
  using socket = new NetlinkSocket(route);
  const links = socket.ask({ type: getLink, flags: NetlinkFlag.dump, body: linkRequest(0) });
  const names = links.map((link) => attributesOf(link.subarray(16)).get(nameAttribute)?.toString());
  assert.ok(names.includes('lo\0'), names.join());
});

test('ask() throws the errno of a kernel that refuses, and the socket goes on', () => {
  using socket = new NetlinkSocket(route);
  const refused = { type: getLink, flags: NetlinkFlag.acknowledge, body: linkRequest(0x7fff_fff0) };
  assert.throws(() => socket.ask(refused), { code: 'ENODEV' });
  assert.equal(socket.ask({ ...refused, body: linkRequest(1) }).length, 1);
});

test('attributesOf() takes apart what attribute() and nested() put together', () => {
  const inner = [attribute(1, Buffer.from('a')), attribute(2, Buffer.from('four'), Buffer.from('5'))];
  const found = attributesOf(Buffer.concat([nested(7, ...inner), attribute(3)]));
  assert.deepEqual([...found.keys()], [7, 3]);
  const parts = attributesOf(found.get(7) ?? Buffer.alloc(0));
  assert.deepEqual(
    [1, 2].map((type) => parts.get(type)?.toString()),
    ['a', 'four5'],
  );
});
