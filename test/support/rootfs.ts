import { execFileSync } from 'node:child_process';
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../src/lib/run.ts';

/** Fills `directory` (made if need be) with a root file system of busybox, its commands in /bin. */
export async function makeBusyboxRootfs(directory: string): Promise<void> {
  for (const name of ['bin', 'dev', 'etc', 'proc', 'root', 'sys', 'tmp']) {
    await mkdir(join(directory, name), { recursive: true });
  }
  await cp('/bin/busybox', join(directory, 'bin/busybox'));
  const { stdout } = await run('/bin/busybox', ['--list']);
  const commands = stdout.split('\n').filter((name) => name !== '' && name !== 'busybox');
  await Promise.all(commands.map((name) => symlink('busybox', join(directory, 'bin', name))));
  await writeFile(
    join(directory, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n',
  );
  await writeFile(join(directory, 'etc/group'), 'root:x:0:\nuser:x:1000:\n');
}

/** The root file system tar that `npm start` makes its base image of. */
export function busyboxTar(): Buffer {
  return execFileSync(join(import.meta.dirname, '../../scripts/busybox-image.sh'), { maxBuffer: 64 << 20 });
}
