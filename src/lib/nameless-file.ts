import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** O_TMPFILE is this and O_DIRECTORY, which is another bit on arm64 than on x86. */
const temporary = 0o20000000;

/** A file in `directory` to write and read that has no name, so that even a killed daemon leaves nothing of it. */
export async function openNameless(directory: string): Promise<FileHandle> {
  return open(directory, temporary | constants.O_DIRECTORY | constants.O_RDWR, 0o600);
}
