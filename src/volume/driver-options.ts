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
  const { type = '', device = '', o = '' } = options;
  try {
    await run('mount', [
      ...(type === '' ? [] : ['-t', type]),
      ...(o === '' ? [] : ['-o', o]),
      '--',
      device,
      path,
    ]);
  } catch (error) {
    throw new EngineError(
      'internal',
      `error while mounting volume '${path}': failed to mount local volume: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

export function unmountOptions(path: string): void {
  unmount(path);
}
