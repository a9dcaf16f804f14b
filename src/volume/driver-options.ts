import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { EngineError, messageOf } from '../errors/index.ts';
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
    await run('mount', [...(await mountArguments(options, addressOf)), path]);
  } catch (error) {
    throw new EngineError(
      'internal',
      `error while mounting volume '${path}': failed to mount local volume: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

/**
 * What mount(8) is given, but for the target. With `addr=` nfs and cifs mean the kernel's own options, as Docker passes
 * them: it needs an address there, and mount's helpers (mount.nfs) would look for the server in the device.
 */
export async function mountArguments(
  { type = '', device = '', o = '' }: DriverOptions,
  resolve: (host: string) => Promise<string>,
): Promise<string[]> {
  const server = /^(nfs4?|cifs)$/.test(type) ? /(?:^|,)addr=([^,]+)/.exec(o)?.[1] : undefined;
  const data = server === undefined ? o : o.replace(`addr=${server}`, `addr=${await resolve(server)}`);
  return [
    ...(server === undefined ? [] : ['--internal-only']),
    ...(type === '' ? [] : ['-t', type]),
    ...(data === '' ? [] : ['-o', data]),
    '--',
    device,
  ];
}

async function addressOf(host: string): Promise<string> {
  if (isIP(host) !== 0) return host;
  try {
    return (await lookup(host)).address;
  } catch (error) {
    const text = `error resolving passed in network volume address: ${messageOf(error)}`;
    throw new EngineError('internal', text, { cause: error });
  }
}

export function unmountOptions(path: string): void {
  unmount(path);
}
