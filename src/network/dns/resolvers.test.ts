import assert from 'node:assert/strict';
import { registerHooks } from 'node:module';
import test from 'node:test';
import { openMetadata } from '../../metadata/index.ts';
import { Endpoints } from '../endpoints.ts';
import { NetworkRecords } from '../records.ts';
import { Resolvers } from './resolvers.ts';

test('open() loads its code the next time where a package was not there', async (t) => {
  await using metadata = openMetadata(':memory:');
  using resolvers = new Resolvers({ records: new NetworkRecords(metadata), endpoints: new Endpoints() });
  const open = () => resolvers.open({ containerId: 'a', namespacePath: '/nonexistent', servers: [] });
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      if (specifier === 'dns-packet') throw new Error('npm ci is not done');
      return next(specifier, context);
    },
  });
  t.after(() => hooks.deregister());
  await assert.rejects(open(), /npm ci is not done/);
  hooks.deregister();
  await assert.rejects(open(), { code: 'ENOENT' });
});
