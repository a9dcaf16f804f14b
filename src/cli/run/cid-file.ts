import { existsSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { EngineError, hasErrno } from '../../errors/index.ts';

/** The file of `--cidfile`; disposed without an ID in it, it goes again. */
export interface CidFile extends AsyncDisposable {
  write(id: string): Promise<void>;
}

/** Makes the file before the container, so that a path that cannot be is known in time; `undefined` for no path. */
export async function openCidFile(path: string): Promise<CidFile | undefined> {
  if (path === '') return undefined;
  if (existsSync(path)) {
    throw new EngineError(
      'conflict',
      `container ID file found, make sure the other container isn't running or delete ${path}`,
    );
  }
  const file = await open(path, 'wx').catch((error: unknown) => {
    const reason = hasErrno(error, 'ENOENT') ? 'no such file or directory' : (error as Error).message;
    const text = `failed to create the container ID file: open ${path}: ${reason}`;
    throw new EngineError('invalidArgument', text, { cause: error });
  });
  let written = false;
  return {
    write: async (id) => {
      await file.writeFile(id);
      written = true;
    },
    [Symbol.asyncDispose]: async () => {
      await file.close();
      if (!written) await rm(path, { force: true });
    },
  };
}
