import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { cleanMappings, releaseProgramPages } from './program-pages.ts';

test('cleanMappings() takes only what can be read from the file again', () => {
  const mapping = (range: string, mode: string, file: string, anonymous: number) =>
    `${range} ${mode} 00001000 fe:00 1234      ${file}\nSize:   8 kB\nAnonymous: ${anonymous} kB\nVmFlags: rd\n`;
  const smaps = [
    mapping('00400000-00746000', 'r--p', '/opt/node 24/node', 0),
    mapping('00746000-03044000', 'r-xp', '/opt/node 24/node', 0),
    mapping('03044000-03045000', 'r--p', '/opt/node 24/node', 4),
    mapping('03045000-03046000', 'rw-p', '/opt/node 24/node', 0),
    mapping('7f00aa000000-7f00aa001000', 'r-xp', '/lib/libc.so.6', 0),
    '7f00bb000000-7f00bb001000 r-xp 00000000 00:00 0\nAnonymous: 0 kB\n',
  ].join('');
  assert.deepEqual(cleanMappings(smaps, '/opt/node 24/node'), [
    { start: 0x400000, end: 0x746000 },
    { start: 0x746000, end: 0x3044000 },
  ]);
});

test('releaseProgramPages() makes the process smaller, and everything goes on', () => {
  const ofFiles = () => Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[2]) * 4096;
  const before = ofFiles();
  releaseProgramPages();
  assert.ok(before - ofFiles() > 20 << 20);
  const emptyDigest = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  assert.equal(createHash('sha256').digest('hex'), emptyDigest);
});
