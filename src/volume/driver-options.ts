import { EngineError, messageOf } from '../errors/index.ts';
import { addressOf } from '../lib/address-of.ts';
import { readMounts } from '../lib/mount-info.ts';
import { unmount } from '../lib/native.ts';
import { run } from '../lib/run.ts';

/** `--opt type= o= device=` of the local driver: what mount(8) is to put at the volume's directory. */
export type DriverOptions = Readonly<Record<string, string>>;

const needed: Readonly<Record<string, readonly string[]>> = {
  type: ['device'],
  device: ['type'],
  o: ['device', 'type'],
};

/** Throws `invalidArgument` with Docker's texts for an unknown or lonely option. */
export function checkDriverOptions(name: string, options: DriverOptions): void {
  for (const option of Object.keys(options)) {
    if (needed[option] === undefined) {
      throw new EngineError('invalidArgument', `create ${name}: invalid option: "${option}"`);
    }
  }
  for (const [option, others] of Object.entries(needed)) {
    if (options[option] === undefined) continue;
    for (const other of others) {
      if (options[other] !== undefined) continue;
      throw new EngineError('invalidArgument', `create ${name}: missing required option: "${other}"`);
    }
  }
}

/** Mounts what the options ask for; one that is mounted already stays. Rejects with `internal` and Docker's text. */
export async function mountOptions(path: string, options: DriverOptions): Promise<void> {
  if (readMounts().some((mount) => mount.path === path)) return;
  try {
    await run('mount', [...(await mountArguments(options, resolved)), path]);
  } catch (error) {
    throw new EngineError(
      'internal',
      `error while mounting volume '${path}': failed to mount local volume: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

/**
 * What mount(8) is given, but for the target. Where Docker passes an address to the kernel itself so do we, for mount's
 * helpers (mount.nfs) would look for the server elsewhere, and need not be there. [moby volume/local/local_unix.go]
 */
export async function mountArguments(
  { type = '', device = '', o = '' }: DriverOptions,
  resolve: (host: string) => Promise<string>,
): Promise<string[]> {
  const server = /^(nfs4?|cifs)$/.test(type) ? /(?:^|,)addr=([^,]+)/.exec(o)?.[1] : undefined;
  if (server !== undefined) {
    const data = o.replace(`addr=${server}`, `addr=${await resolve(server)}`);
    return ['--internal-only', ...argumentsOf(type, data), '--', device];
  }
  const share = type === 'cifs' ? /^(?:\w+:)?\/\/([^/]+)(.*)$/.exec(device) : null;
  if (share === null) return [...argumentsOf(type, o), '--', device];
  const [, host = '', path = ''] = share;
  return ['--internal-only', ...argumentsOf(type, o), '--', `//${await resolve(host)}${path}`];
}

function argumentsOf(type: string, data: string): string[] {
  return [...(type === '' ? [] : ['-t', type]), ...(data === '' ? [] : ['-o', data])];
}

async function resolved(host: string): Promise<string> {
  try {
    return await addressOf(host);
  } catch (error) {
    const text = `error resolving passed in network volume address: ${messageOf(error)}`;
    throw new EngineError('internal', text, { cause: error });
  }
}

export function unmountOptions(path: string): void {
  unmount(path);
}
