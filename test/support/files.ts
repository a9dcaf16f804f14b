import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A temporary directory that the hook takes away. */
export function temporaryDirectory(t: { after(cleanUp: () => void): void }): string {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-test-files-'));
  t.after(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

/** What a file holds, alone or with its mode. */
export type FileContent = string | Uint8Array | { readonly text: string; readonly mode: number };

/** Writes files below `directory`, which is emptied before; names with a `/` make directories. */
export function writeTree(directory: string, files: Readonly<Record<string, FileContent>>): void {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const [name, file] of Object.entries(files)) {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    const plain = typeof file === 'string' || file instanceof Uint8Array;
    writeFileSync(path, plain ? file : file.text);
    chmodSync(path, plain ? 0o644 : file.mode);
  }
}
