import assert from 'node:assert/strict';
import test from 'node:test';
import { archiveOf, build, openBench } from '../../test/support/build-bench.ts';
import { byteString } from '../lib/tar/index.ts';
import { hostPlatform } from '../oci/index.ts';

const files = {
  Dockerfile: 'FROM busybox\nENV A=1\nCOPY x /x\nRUN cat /x >/y\nRUN echo >/z\n',
  x: 'content',
};
const hits = (text: string) => text.match(/Using cache/g)?.length ?? 0;

test('--cache-from takes the steps of an image by its history, as if they had been made here', async (t) => {
  const bench = await openBench(t);
  const first = await build(bench, files, { tags: ['app'] });
  // As on a machine that has only pulled the image.
  const forget = () => bench.builder.prune({ all: true, filters: new Map(), keepBytes: 0 });
  await forget();
  assert.equal(hits((await build(bench, files, { tags: ['other'] })).text), 0);
  await forget();

  const cacheFrom = ['nowhere', 'Not a name', 'busybox', 'app'];
  const whole = await build(bench, files, { cacheFrom });
  assert.equal(hits(whole.text), 4);
  assert.equal(whole.id, first.id);
  assert.equal(bench.runs(), 4);

  const longer = { ...files, Dockerfile: `${files.Dockerfile.replace('echo >/z', 'echo z')}RUN cat /y\n` };
  const changed = await build(bench, longer, { cacheFrom });
  assert.equal(hits(changed.text), 3);
  assert.match(changed.text, /\ncontent /);
  const { config } = bench.images.resolve(changed.id);
  const original = bench.images.resolve(first.id).config;
  assert.deepEqual(config.history?.slice(0, 4), original.history?.slice(0, 4));
  assert.deepEqual(config.rootfs.diff_ids, original.rootfs.diff_ids.slice(0, 3));
  assert.ok(config.config?.Env?.includes('A=1'));
  assert.equal(hits((await build(bench, longer)).text), 5, 'what was taken is in the cache now');

  assert.equal(hits((await build(bench, files, { cacheFrom, noCache: true })).text), 0);
});

test('--cache-from does not take what only looks alike', async (t) => {
  const bench = await openBench(t);
  const scratch = { Dockerfile: 'FROM scratch\nCOPY x /x\nENV A=1\n', x: 'content' };
  await build(bench, scratch, { tags: ['app'] });
  await bench.builder.prune({ all: true, filters: new Map(), keepBytes: 0 });
  const options = { cacheFrom: ['app'] };
  assert.equal(hits((await build(bench, { ...scratch, x: 'other' }, options)).text), 0);
  const platform = { os: 'linux', architecture: 's390x' };
  assert.equal(hits((await build(bench, scratch, { ...options, platform })).text), 0);
  const timeless = { noCache: true, buildArgs: { SOURCE_DATE_EPOCH: '0' } };
  await build(bench, scratch, { ...timeless, tags: ['timeless'] });
  await bench.builder.prune({ all: true, filters: new Map(), keepBytes: 0 });
  const foreign = { ...timeless, noCache: false, cacheFrom: ['timeless'], platform };
  const other = await build(bench, scratch, foreign);
  assert.equal(bench.images.resolve(other.id).config.architecture, 's390x');
  await build(bench, files, { tags: ['based'] });
  await bench.builder.prune({ all: true, filters: new Map(), keepBytes: 0 });
  const onOther = { ...files, Dockerfile: 'FROM app\nENV A=1\nCOPY x /x\n' };
  assert.equal(hits((await build(bench, onOther, { cacheFrom: ['based'] })).text), 0);
  assert.equal(hits((await build(bench, scratch, { ...options, platform: hostPlatform() })).text), 2);
});

test('--cache-from does not take a COPY or ADD of the same content under another name or with other options', async (t) => {
  const bench = await openBench(t);
  const archive = archiveOf([{ path: byteString('inside'), type: 'file', text: '' }]);
  const member = (path: string, text: string | Buffer) =>
    ({ path: byteString(path), type: 'file', text }) as const;
  const contents = {
    x: 'content',
    y: 'content',
    z: 'content',
    'd/x': 'content',
    't.tar': member('t.tar', archive),
    'u.tar': member('u.tar', archive),
  };
  const alike = [
    ['COPY x /c/', 'COPY y /c/'],
    ['COPY x y /c/', 'COPY x z /c/'],
    ['COPY x /c', 'COPY --chmod=711 x /c'],
    ['COPY d/x /c/', 'COPY --parents d/x /c/'],
    ['COPY --parents d/x /c/', 'COPY --parents d/./x /c/'],
    ['ADD t.tar /c/', 'ADD --unpack=false t.tar /c/'],
    ['ADD --unpack=false t.tar /c/', 'ADD --unpack=false u.tar /c/'],
  ] as const;
  for (const [made, wanted] of alike) {
    const fileOf = (step: string) => ({ ...contents, Dockerfile: `FROM scratch\n${step}\nENV A=1\n` });
    await build(bench, fileOf(made), { tags: ['app'] });
    await bench.builder.prune({ all: true, filters: new Map(), keepBytes: 0 });
    const whole = await build(bench, fileOf(made), { cacheFrom: ['app'] });
    assert.equal(hits(whole.text), 2, made);
    assert.equal(whole.id, bench.images.resolve('app').id);
    assert.equal(hits((await build(bench, fileOf(wanted), { cacheFrom: ['app'] })).text), 0, wanted);
  }
});

test('--cache-from leaves steps alone that were made here on the way to an image it names', async (t) => {
  const bench = await openBench(t);
  await build(bench, files, { tags: ['first'] });
  await bench.builder.prune({ all: true, filters: new Map(), keepBytes: 0 });
  const second = await build(bench, files, { tags: ['second'] });
  const longer = { ...files, Dockerfile: `${files.Dockerfile}RUN cat /y\n` };
  await build(bench, longer);
  const add = t.mock.method(bench.images, 'add');

  const whole = await build(bench, files, { cacheFrom: ['first', 'second'] });
  assert.equal(hits(whole.text), 4);
  assert.equal(whole.id, second.id);
  assert.equal(hits((await build(bench, longer, { cacheFrom: ['first', 'second'] })).text), 5);
  assert.equal(add.mock.callCount(), 0);

  await build(bench, files, { cacheFrom: ['first'] });
  assert.equal(add.mock.callCount(), 3, 'all but the last step, which gives the image itself');
  add.mock.resetCalls();
  assert.equal((await build(bench, files, { cacheFrom: ['first'] })).id, bench.images.resolve('first').id);
  assert.equal(add.mock.callCount(), 0, 'what was taken is not made again');
});
