import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { RegionReader } from './region-reader.ts';

const directory = mkdtempSync(join(tmpdir(), 'gantry-region-'));
const size = 3 << 20;
const bytes = Buffer.from(Uint8Array.from({ length: size }, (_, index) => (index * 2654435761) >>> 24));
const path = join(directory, 'file');
writeFileSync(path, bytes);
const fd = openSync(path, 'r');
const other = openSync(path, 'r');
after(() => {
  closeSync(fd);
  closeSync(other);
  rmSync(directory, { recursive: true });
});

function reads(regions: readonly (readonly [fd: number, offset: number, size: number])[]): void {
  const reader = new RegionReader();
  for (const [file, offset, length] of regions) {
    const into = Buffer.alloc(length + 2);
    reader.read({ type: 'region', fd: file, offset, size: length }, into, 1);
    assert.deepEqual(
      into,
      Buffer.concat([Buffer.of(0), bytes.subarray(offset, offset + length), Buffer.of(0)]),
    );
  }
}

test('one after the other, with gaps, over the windows’ ends', () => {
  reads(Array.from({ length: 400 }, (_, index) => [fd, index * 7680 + 512, 6500] as const));
});

test('back and forth, large and small, of two files', () => {
  reads([
    [fd, 1000, 10],
    [fd, 1010, 10],
    [other, 1020, 10],
    [fd, 5, 10],
    [fd, 20, 2 << 20],
    [fd, (2 << 20) + 20, 100],
    [fd, 0, 0],
    [fd, size - 10, 10],
    [fd, size, 0],
  ]);
});

test('a file that ends before is an error', () => {
  const reader = new RegionReader();
  const read = (offset: number, length: number) => {
    reader.read({ type: 'region', fd, offset, size: length }, Buffer.alloc(length), 0);
  };
  read(size - 100, 50);
  for (const offset of [size - 50, size - 10]) {
    assert.throws(() => {
      read(offset, 60);
    }, /a spooled file ends early/);
  }
});
