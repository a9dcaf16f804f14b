import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import test from 'node:test';
import { tellSending } from './tell-sending.ts';

const pieces = () => Readable.from([Buffer.alloc(2048), Buffer.alloc(1024)]);

test('tellSending() tells the whole size at the end, and passes on what is sent', async () => {
  const told: string[] = [];
  const sent = await buffer(tellSending(pieces(), { write: (text) => told.push(text) }));
  assert.equal(sent.length, 3072);
  assert.deepEqual(told, ['Sending build context to Docker daemon  3.072kB\r\r\n']);
});

test('tellSending() writes over its line on a terminal while it sends', async () => {
  const told: string[] = [];
  await buffer(tellSending(pieces(), { write: (text) => told.push(text), isTTY: true }));
  assert.equal(told[0], 'Sending build context to Docker daemon  2.048kB\r');
  assert.equal(told.at(-1), 'Sending build context to Docker daemon  3.072kB\r\r\n');
});

test('tellSending() passes on the error of what it reads', async () => {
  const broken = new Readable({ read: () => broken.destroy(new Error('gone')) });
  await assert.rejects(buffer(tellSending(broken, { write: () => assert.fail('nothing was sent') })), {
    message: 'gone',
  });
});
