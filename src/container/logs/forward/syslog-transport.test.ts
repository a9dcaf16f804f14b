import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../../test/support/files.ts';
import { serveDatagrams, serveStream } from '../../../../test/support/syslog-server.ts';
import { until } from '../../../../test/support/until.ts';
import { openLocal } from './syslog-transport.ts';

test('openLocal() takes the first place with a server, datagrams before streams', async (t) => {
  const directory = temporaryDirectory(t);
  const [none, stream, datagrams] = ['none', 'stream', 'datagrams'].map((name) => join(directory, name));
  assert.ok(none !== undefined && stream !== undefined && datagrams !== undefined);
  const { signal } = new AbortController();
  await assert.rejects(openLocal([none], signal), { message: 'Unix syslog delivery error' });
  const servers = [await serveStream({ path: stream }), await serveDatagrams(datagrams)];
  for (const [index, paths] of [
    [none, stream],
    [none, stream, datagrams],
  ].entries()) {
    using opened = await openLocal(paths, signal);
    assert.equal(opened.datagrams, index === 1);
    await opened.write(Buffer.from('message\n'));
    await until(
      () => servers[index]?.text().startsWith('message\n') === true,
      () => `nothing came to ${paths.at(-1)}`,
    );
  }
  for (const server of servers) await server.close();
});
