import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { readHostResolvConf } from './host-resolv-conf.ts';

test("readHostResolvConf() reads past systemd-resolved's stub where there is a file of its own", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-resolv-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const paths = { plain: join(directory, 'plain'), resolved: join(directory, 'resolved') };
  assert.equal(await readHostResolvConf(paths), '');
  const stub = 'nameserver 127.0.0.53\nsearch a.example\n';
  writeFileSync(paths.plain, stub);
  assert.equal(await readHostResolvConf(paths), stub);
  writeFileSync(paths.resolved, 'nameserver 10.0.0.2\n');
  assert.equal(await readHostResolvConf(paths), 'nameserver 10.0.0.2\n');
  writeFileSync(paths.plain, 'nameserver 10.0.0.3\n');
  assert.equal(await readHostResolvConf(paths), 'nameserver 10.0.0.3\n');
});
