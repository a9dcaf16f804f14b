import assert from 'node:assert/strict';
import test from 'node:test';
import type { PruneItem } from '../../api/index.ts';
import { isCode } from '../../errors/index.ts';
import { openMetadata } from '../../metadata/index.ts';
import { useSince } from './use-since.ts';

const volume: PruneItem = { Kind: 'volume', ID: 'data', Names: [], Bytes: 0, Reason: '', Mark: '' };

test('useSince() tells of a volume that was mounted after a place in the journal', async () => {
  await using metadata = openMetadata(':memory:');
  metadata.transact((change) => {
    change.record({ type: 'volume', action: 'mount', id: 'data', attributes: {} });
  });
  const { journal } = metadata;
  assert.equal(useSince(journal, 0)(volume), 'a container mounted it since');
  assert.equal(useSince(journal, journal.last())(volume), undefined);
});

test('useSince() refuses a place to which the journal does not reach back', async () => {
  await using metadata = openMetadata(':memory:', { journalRows: 100 });
  metadata.transact((change) => {
    change.record({ type: 'volume', action: 'mount', id: 'data', attributes: {} });
    for (let n = 0; n < 300; n += 1) {
      change.record({ type: 'container', action: 'top', id: 'c', attributes: {} });
    }
  });
  assert.throws(
    () => useSince(metadata.journal, 0),
    (error) => isCode(error, 'conflict'),
  );
});
