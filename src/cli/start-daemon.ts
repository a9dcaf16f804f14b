import { closeSync, mkdirSync, openSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, isUnreachable } from '../client/index.ts';
import { defaultRoot } from '../config/index.ts';
import { EngineError } from '../errors/index.ts';
import { exists, readOptional } from '../lib/missing-files.ts';
import { exitOf, start } from '../lib/process.ts';

/** A daemon that ends is seen at once; this is for the slowest machine. */
const patienceMs = 180_000;

/**
 * Starts a daemon of the default root in the background and waits until it answers. It outlives this command; its log
 * goes to ROOT/daemon.log. Rejects with the end of that log when the daemon ends instead, and for whoever is not root
 * with why no daemon was reached.
 */
export async function startDaemon(client: Client, unreachable: EngineError): Promise<void> {
  if (process.getuid?.() !== 0) {
    const text = `${unreachable.message} Root starts it, with any gantry command`;
    throw new EngineError('unavailable', text, { cause: unreachable });
  }
  mkdirSync(defaultRoot, { recursive: true, mode: 0o710 });
  const logPath = join(defaultRoot, 'daemon.log');
  const log = openSync(logPath, 'a', 0o640);
  const program = join(import.meta.dirname, '../../bin/gantry');
  const daemon = start(program, ['daemon'], { stdio: ['ignore', log, log], cwd: '/' });
  closeSync(log);
  let hasEnded = false;
  const end = () => (hasEnded = true);
  exitOf(program, daemon).then(end, end);
  daemon.unref();

  const begunMs = Date.now();
  for (let waitMs = 20; ; waitMs = Math.min(waitMs * 1.5, 250)) {
    await sleep(waitMs);
    try {
      await client.system.ping();
      return;
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      // Another command may have started one at the same time: then ours ends at the locked root, and theirs answers.
      const mayCome = !hasEnded || (await isStarting());
      if (mayCome && Date.now() - begunMs < patienceMs) continue;
      throw new EngineError('unavailable', await complaint(client.host, logPath), { cause: error });
    }
  }
}

/**
 * Whether a process took the default root not long ago, into whose lock it then writes its id. One that has it for
 * longer listens elsewhere and will never answer here.
 */
async function isStarting(): Promise<boolean> {
  const path = join(defaultRoot, 'lock');
  const holder = await readOptional(path);
  if (holder === undefined || !(await exists(join('/proc', holder.trim())))) return false;
  return Date.now() - (await stat(path)).mtimeMs < patienceMs;
}

async function complaint(host: string, logPath: string): Promise<string> {
  const log = await readFile(logPath, 'utf8');
  const last = log.trimEnd().split('\n').slice(-3).join('\n');
  return `Cannot connect to the Gantry daemon at ${host}, and starting one failed. The end of ${logPath}:\n${last}`;
}
