import { readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { hasErrno } from '../../errors/index.ts';

/**
 * A rotated part of a log. Of a log NAME the parts are NAME.1, NAME.2 … in the order they were written, and NAME
 * itself is the newest; a part that was compressed ends in `.gz`. A number never comes to mean another part while any
 * part is there.
 */
export interface Segment {
  readonly number: number;
  readonly path: string;
  readonly compressed: boolean;
}

/** The rotated parts among the names of a directory, oldest first. */
export function segmentsAmong(names: readonly string[], path: string): Segment[] {
  const prefix = `${basename(path)}.`;
  const found = new Map<number, Segment>();
  for (const name of names) {
    const [, digits, suffix] = /^([1-9][0-9]{0,14})(\.gz)?$/.exec(withoutPrefix(name, prefix)) ?? [];
    if (digits === undefined) continue;
    const number = Number(digits);
    const compressed = suffix !== undefined;
    // Both are there while one is being compressed: each holds all of it.
    if (compressed && found.has(number)) continue;
    found.set(number, { number, path: `${dirname(path)}/${name}`, compressed });
  }
  return [...found.values()].sort((a, b) => a.number - b.number);
}

/** The rotated parts of the log at `path`, oldest first. */
export async function rotatedSegments(path: string): Promise<Segment[]> {
  try {
    return segmentsAmong(await readdir(dirname(path)), path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

export function segmentPath(path: string, number: number): string {
  return `${path}.${number}`;
}

export function compressedPath(path: string, number: number): string {
  return `${segmentPath(path, number)}.gz`;
}

function withoutPrefix(name: string, prefix: string): string {
  return name.startsWith(prefix) ? name.slice(prefix.length) : '';
}
