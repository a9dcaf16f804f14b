import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { randomId } from '../../../src/lib/ids.ts';
import { collect, conflict, firstLine, monitorsOf } from '../../support/runtime-helpers.ts';
import type { RuntimeBed } from './runtime-bed.ts';

/** The standard streams and terminals of a container, and clients on them. */
export function testStreams(bed: RuntimeBed): void {
  test('input that the process never reads is dropped at its end', async (t) => {
    const { id } = await bed.create(t, { args: ['sleep', '0.3'], stdin: true });
    await using attachment = await bed.runtime.attach(id);
    await bed.runtime.start(id);
    attachment.input.end(Buffer.alloc(1_000_000));
    assert.deepEqual(await collect(attachment), { stdout: '', stderr: '' });
    assert.equal((await bed.runtime.wait(id)).exitCode, 0);
  });

  test('attach() before start() misses no byte and keeps the streams apart', async (t) => {
    const result = await bed.output(t, {
      args: ['sh', '-c', 'echo out; echo err >&2; printf "a\\000b"; exit 5'],
    });
    assert.deepEqual(result, { stdout: 'out\na\0b', stderr: 'err\n', exitCode: 5 });
  });

  test('a half-close of the input is end of file, and the output still flows', async (t) => {
    const result = await bed.output(
      t,
      { args: ['sh', '-c', 'wc -c; sleep 0.2; echo done'] },
      'x'.repeat(100_000),
    );
    assert.deepEqual(result, { stdout: '100000\ndone\n', stderr: '', exitCode: 0 });
  });

  test('stdin is empty without stdin', async (t) => {
    const result = await bed.output(t, { args: ['sh', '-c', 'cat; readlink /proc/self/fd/0'] });
    assert.equal(result.stdout, '/dev/null\n');
  });

  test('stdin stays open for the next client without stdinOnce', async (t) => {
    const { id } = await bed.started(t, { args: ['cat'], stdin: true, stdinOnce: false });
    {
      await using first = await bed.runtime.attach(id);
      first.input.end('one\n');
      assert.equal(await firstLine(first), 'one\n');
    }
    await using second = await bed.runtime.attach(id);
    second.input.write('two\n');
    assert.equal(await firstLine(second), 'two\n');
  });

  test('clients that only listen leave the input to the others, and nothing behind', async (t) => {
    const { id } = await bed.create(t, { args: ['cat'], stdin: true });
    await using talking = await bed.runtime.attach(id);
    await bed.runtime.start(id);
    const [monitor] = await monitorsOf(bed.run, id);
    const descriptors = async () => (await readdir(`/proc/${monitor}/fd`)).length;
    const counts = new Set<number>();
    for (const word of ['one', 'two', 'three']) {
      await using listening = await bed.runtime.attach(id, { input: false });
      talking.input.write(word);
      assert.equal(await firstLine(listening), word);
      assert.equal(await firstLine(talking), word);
      counts.add(await descriptors());
    }
    await delay(100);
    assert.equal(counts.size, 1, 'a connection of a client that left is used again');
    talking.input.end('end');
    assert.equal(await firstLine(talking), 'end');
    assert.equal((await bed.runtime.wait(id)).exitCode, 0);
  });

  test('attach() carries 50 MB each way, whichever side is slower', async (t) => {
    const size = 50_000_000;
    const { id } = await bed.create(t, { args: ['cat'], stdin: true, noLog: true });
    await using attachment = await bed.runtime.attach(id);
    await bed.runtime.start(id);
    const block = Buffer.alloc(1_000_000, 'b');
    const sending = (async () => {
      for (let sent = 0; sent < size; sent += block.length) {
        if (!attachment.input.write(block))
          await new Promise((drained) => attachment.input.once('drain', drained));
      }
      attachment.input.end();
    })();
    await delay(100);
    let received = 0;
    for await (const { data } of attachment.output) received += data.length;
    await sending;
    assert.equal(received, size);
    assert.equal((await bed.runtime.wait(id)).exitCode, 0);
  });

  test('a client that never reads does not keep an ended container from ending', async (t) => {
    const { id } = await bed.create(t, { args: ['sh', '-c', 'yes'], noLog: true });
    await using _attachment = await bed.runtime.attach(id);
    await bed.runtime.start(id);
    await delay(300);
    await bed.runtime.kill(id, 9);
    assert.equal((await bed.runtime.wait(id, AbortSignal.timeout(60_000))).exitCode, 137);
  });

  test('a client that stopped reading holds up nobody, and misses nothing', async (t) => {
    const { id } = await bed.create(t, { args: ['seq', '1500000'] });
    await using attachment = await bed.runtime.attach(id);
    await bed.runtime.start(id);
    assert.equal((await bed.runtime.wait(id, AbortSignal.timeout(60_000))).exitCode, 0);
    const { stdout } = await collect(attachment);
    assert.equal(stdout, Array.from({ length: 1_500_000 }, (_, index) => `${index + 1}\n`).join(''));
  });

  test('disposing an attachment leaves the process alone', async (t) => {
    const { id } = await bed.started(t, { args: ['sh', '-c', 'while sleep 0.05; do echo x; done'] });
    const attachment = await bed.runtime.attach(id);
    await firstLine(attachment);
    await attachment[Symbol.asyncDispose]();
    await delay(150);
    assert.equal((await bed.runtime.state(id))?.status, 'running');
    await assert.rejects(bed.runtime.attach(randomId()), conflict);
  });

  test('a terminal has the size asked for at create, and the last one asked for later', async (t) => {
    const { id } = await bed.create(t, {
      args: ['sh', '-c', 'stty size; echo ready; read line; stty size'],
      terminal: true,
      stdin: true,
      consoleSize: { height: 11, width: 22 },
    });
    await using attachment = await bed.runtime.attach(id);
    await bed.runtime.start(id);
    let text = '';
    for await (const { stream, data } of attachment.output) {
      assert.equal(stream, 'stdout');
      text += data.toString();
      if (text.endsWith('ready\r\n')) {
        // All at once: a drag of a window's corner.
        const sizes = Array.from({ length: 20 }, (_, index) => ({ height: 14 + index, width: 25 + index }));
        await Promise.all(sizes.map((size) => bed.runtime.resize(id, size)));
        attachment.input.write('\n');
      }
    }
    assert.equal(text, '11 22\r\nready\r\n\r\n33 44\r\n');
    await bed.runtime.wait(id);
    await assert.rejects(bed.runtime.resize(id, { height: 1, width: 1 }), conflict);
  });

  test('a terminal takes input', async (t) => {
    const { id } = await bed.create(t, { args: ['sh'], terminal: true, stdin: true });
    await using attachment = await bed.runtime.attach(id);
    await bed.runtime.start(id);
    attachment.input.write('echo $((6*7)); exit 3\n');
    const { stdout } = await collect(attachment);
    assert.match(stdout, /42\r\n/);
    assert.equal((await bed.runtime.wait(id)).exitCode, 3);
  });

  for (const terminal of [false, true]) {
    test(`a user other than root opens /dev/stdout ${terminal ? 'with' : 'without'} a terminal`, async (t) => {
      const script = 'id -u; echo out >/dev/stdout && echo err >/dev/stderr';
      const result = await bed.output(t, { args: ['sh', '-c', script], uid: 1000, terminal });
      assert.equal(result.exitCode, 0);
      assert.equal(result.stdout.replaceAll('\r', ''), terminal ? '1000\nout\nerr\n' : '1000\nout\n');
    });
  }
}
