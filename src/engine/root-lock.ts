import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../errors/index.ts';
import { tryLock } from '../lib/native.ts';

/**
 * Makes this process the only engine on `root`, until disposed (or dead: the kernel holds the lock).
 * Rejects with `conflict` naming the holder.
 */
export async function lockRoot(root: string): Promise<AsyncDisposable> {
  await mkdir(root, { recursive: true, mode: 0o711 });
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
