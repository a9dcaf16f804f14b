import { EngineError } from '../../errors/index.ts';
import type { Context } from '../command.ts';

const defaultKeys = 'ctrl-p,ctrl-q';

/** How long a begun sequence is held back, so that a lone Ctrl-P still reaches the program. */
const holdMs = 700;

/** What `--detach-keys` says, else the user's configuration; '' is the default. */
export async function detachKeysOf({ settings }: Context, given: string): Promise<string> {
  return given || ((await settings()).detachKeys ?? '');
}

/** Bytes of `ctrl-p,ctrl-q` or `a,ctrl-]`; '' is the default. Throws `invalidArgument`. */
export function parseDetachKeys(text: string): Buffer {
  const codes = (text === '' ? defaultKeys : text).split(',').map((key) => {
    if ([...key].length === 1) return key.charCodeAt(0);
    const code = /^ctrl-([a-z@[\\\]^_])$/i.exec(key)?.[1]?.toUpperCase().charCodeAt(0);
    if (code === undefined) throw new EngineError('invalidArgument', `Unknown character: '${key}'`);
    return code - 64;
  });
  return Buffer.from(codes);
}

/** Passes input through and watches for the detach keys. */
export interface DetachFilter {
  /** What of the input is to be sent on now; `detached` when the sequence is complete. */
  read(data: Buffer): { readonly pass: Buffer; readonly detached: boolean };
  [Symbol.dispose](): void;
}

/** `release` gets keys that were held back and turned out to be ordinary input. */
export function createDetachFilter(keys: Buffer, release: (held: Buffer) => void): DetachFilter {
  let matched = 0;
  let timer: NodeJS.Timeout | undefined;
  const cancel = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  return {
    read(data) {
      cancel();
      const pass: number[] = [];
      for (const byte of data) {
        if (byte === keys[matched]) {
          matched++;
          if (matched === keys.length) return { pass: Buffer.from(pass), detached: true };
          continue;
        }
        pass.push(...keys.subarray(0, matched));
        matched = byte === keys[0] ? 1 : 0;
        if (matched === 0) pass.push(byte);
      }
      if (matched > 0) {
        timer = setTimeout(() => {
          const held = keys.subarray(0, matched);
          matched = 0;
          release(held);
        }, holdMs);
      }
      return { pass: Buffer.from(pass), detached: false };
    },
    [Symbol.dispose]: cancel,
  };
}
