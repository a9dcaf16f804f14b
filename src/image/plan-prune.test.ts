import assert from 'node:assert/strict';
import test from 'node:test';
import { importBase, openImageStore } from '../../test/support/image-store.ts';
import { parseReference } from '../oci/index.ts';

test('removeAsPlanned() removes a pulled image with all its names, or touches none of them', async (t) => {
  const { images, users, ...store } = await openImageStore(t);
  const image = await importBase({ ...store, images, users });
  const names = ['one/app:1', `one/app@${image.manifest}`, 'two/app:1', `two/app@${image.manifest}`];
  const event = { type: 'image', action: 'pull', id: image.id, attributes: {} } as const;
  images.rename(image.id, { names: names.map(parseReference), event });
  const none = { goneContainers: new Set<string>(), goneImages: new Set<never>() };
  const [planned] = images.prunable({ all: true, filters: new Map(), ...none });
  assert.deepEqual(planned?.names, names);

  users.push({ containerId: 'c', imageId: image.id, running: false });
  assert.equal(images.removeAsPlanned(planned), 'container c uses it');
  for (const name of names) assert.equal(images.resolve(name).id, image.id);
  users.pop();
  assert.equal(images.removeAsPlanned(planned), undefined);
  assert.equal(images.find(image.id), undefined);
});
