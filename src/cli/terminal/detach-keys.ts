import type { Context } from '../command.ts';

/** What `--detach-keys` says, else the user's configuration; '' is the default. */
export async function detachKeysOf({ settings }: Context, given: string): Promise<string> {
  return given || ((await settings()).detachKeys ?? '');
}
