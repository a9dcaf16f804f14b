import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../src/lib/run.ts';

/** Runs a script (an ES module) where /etc/hosts has these lines, and gives what it prints. */
export async function runWithHosts(lines: readonly string[], script: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-hosts-'));
  try {
    const hosts = join(directory, 'hosts');
    await writeFile(hosts, `${lines.join('\n')}\n`);
    const inside = 'mount --bind "$1" /etc/hosts && shift && exec "$@"';
    const node = [process.execPath, '--disable-warning=ExperimentalWarning', '--input-type=module'];
    const { stdout } = await run('unshare', [
      ...['--mount', 'sh', '-c', inside, 'sh', hosts],
      ...[...node, '-e', script],
    ]);
    return stdout;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
