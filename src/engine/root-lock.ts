import { chmod, mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../errors/index.ts';
import { tryLock } from '../lib/native.ts';

/**
 * Makes this process the only engine on `root`, until disposed (or dead: the kernel holds the lock).
 * Rejects with `conflict` naming the holder.
 */
export async function lockRoot(root: string): Promise<AsyncDisposable> {
  await mkdir(root, { recursive: true });
  // Environments of containers, images and programs of volumes that run as root: no other user is to get at them.
  await chmod(root, 0o710);
  const path = join(root, 'lock');
  const file = await open(path, 'a+', 0o600);
  if (!tryLock(file.fd)) {
    const holder = (await readFile(path, 'utf8')).trim();
    await file.close();
    const who = holder === '' ? 'another daemon' : `the daemon with process id ${holder}`;
    throw new EngineError('conflict', `${root} is in use by ${who}: stop it, or choose another --root`);
  }
  await file.truncate(0);
  await file.write(`${process.pid}\n`);
  return { [Symbol.asyncDispose]: () => file.close() };
}
