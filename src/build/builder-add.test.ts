import assert from 'node:assert/strict';
import test from 'node:test';
import { archiveOf, fails, openBench } from '../../test/support/build-bench.ts';
import { byteString } from '../lib/tar/index.ts';

test('an archive counts as a source: more than one want a directory', async (t) => {
  const bench = await openBench(t);
  const archive = (name: string) => ({
    path: byteString(name),
    type: 'file' as const,
    text: archiveOf([{ path: byteString('f'), type: 'file' }]),
  });
  const files = { 'a.tar': archive('a.tar'), 'b.tar': archive('b.tar'), plain: 'p' };
  for (const sources of ['a.tar plain', '*.tar']) {
    const { message } = await fails(bench, { ...files, Dockerfile: `FROM busybox\nADD ${sources} /new\n` });
    assert.equal(
      message,
      'ADD failed: When using ADD with more than one source file, the destination must be a directory and end with a /',
    );
  }
});
