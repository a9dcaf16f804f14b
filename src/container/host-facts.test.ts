import assert from 'node:assert/strict';
import test from 'node:test';
import { temporaryDirectory, writeTree } from '../../test/support/files.ts';
import { hardLimitsIn, unifiedDeviceWeights } from './host-facts.ts';

test('hardLimitsIn() reads what /proc shows', () => {
  const text = [
    'Limit                     Soft Limit           Hard Limit           Units     ',
    'Max open files            1024                 20000                files     ',
    'Max core file size        0                    unlimited            bytes     ',
    'Max address space         unlimited            unlimited            bytes     ',
  ].join('\n');
  assert.deepEqual(hardLimitsIn(text), { nofile: 20_000, core: Infinity });
});

test('unifiedDeviceWeights() is true where BFQ has a weight for each device', async (t) => {
  const root = temporaryDirectory(t);
  const supported = async (files: Readonly<Record<string, string>>) => {
    writeTree(root, { 'cgroup.procs': '', 'a.slice/io.weight': 'default 100\n', ...files });
    return unifiedDeviceWeights(root);
  };
  assert.equal(await supported({}), false);
  assert.equal(await supported({ 'b.slice/io.bfq.weight': '100\n' }), false);
  assert.equal(await supported({ 'b.slice/io.bfq.weight': 'default 100\n8:0 200\n' }), true);
});
