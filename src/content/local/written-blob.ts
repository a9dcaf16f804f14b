import type { FileHandle } from 'node:fs/promises';
import { EngineError } from '../../errors/index.ts';
import type { Lease } from '../../metadata/index.ts';
import type { BlobInfo, Expected } from '../content-store.ts';

/** A blob's file, whole and verified, that has to get its name. */
export interface WrittenBlob {
  readonly file: FileHandle;
  readonly path: string;
  readonly info: BlobInfo;
  readonly lease: Lease | undefined;
}

/** Throws `invalidArgument` if a blob is not what it should be. */
export function verify(info: BlobInfo, expected: Expected): void {
  if (expected.size !== undefined && expected.size !== info.size) {
    throw new EngineError(
      'invalidArgument',
      `blob is ${info.size} bytes, expected ${expected.size}${expected.digest ? ` (${expected.digest})` : ''}`,
    );
  }
  if (expected.digest !== undefined && expected.digest !== info.digest) {
    throw new EngineError('invalidArgument', `blob has digest ${info.digest}, expected ${expected.digest}`);
  }
}
