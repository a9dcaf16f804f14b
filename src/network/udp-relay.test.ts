import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import test, { type TestContext } from 'node:test';
import { relayDatagrams } from './udp-relay.ts';

async function bound(t: TestContext, type: 'udp4' | 'udp6'): Promise<Socket> {
  const socket = createSocket(type).bind(0, type === 'udp4' ? '127.0.0.1' : '::1');
  await once(socket, 'listening');
  t.after(() => socket.close());
  return socket;
}

test('relayDatagrams() gives each client its own answers, always from one port', async (t) => {
  const target = await bound(t, 'udp4');
  const server = await bound(t, 'udp6');
  const clients = [await bound(t, 'udp6'), await bound(t, 'udp6')];
  const relay = relayDatagrams(server, target.address());
  const peers = new Set<number>();
  target.on('message', (message, from) => {
    peers.add(from.port);
    target.send(`got ${message.toString()}`, from.port, from.address);
  });
  const answers = async (words: readonly string[]) =>
    Promise.all(
      clients.map(async (client, index) => {
        client.send(words[index] ?? '', server.address().port, '::1');
        const [answer] = (await once(client, 'message')) as [Buffer];
        return answer.toString();
      }),
    );
  assert.deepEqual(await answers(['a', 'b']), ['got a', 'got b']);
  assert.deepEqual(await answers(['c', 'd']), ['got c', 'got d']);
  assert.equal(peers.size, 2);
  relay[Symbol.dispose]();
  relay[Symbol.dispose]();
});
