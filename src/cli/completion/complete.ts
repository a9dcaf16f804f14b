import type { Client } from '../../client/index.ts';
import { EngineError } from '../../errors/index.ts';
import type { Command, Context } from '../command.ts';
import { commands, groups, lookUp } from '../commands.ts';
import type { FlagTable } from '../flags.ts';

/** Tells the shell to complete file names. */
const files = ':files';

/**
 * Prints what may stand in the place of the last word of a command line without its program and global flags, one a
 * line. Never starts a daemon and never fails.
 */
export async function complete(
  words: readonly string[],
  context: Context,
  globalFlags: FlagTable,
): Promise<number> {
  const found = await candidates(words, context, globalFlags);
  context.stdout.write(found.map((one) => `${one}\n`).join(''));
  return 0;
}

async function candidates(
  words: readonly string[],
  context: Context,
  globalFlags: FlagTable,
): Promise<readonly string[]> {
  const current = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const [first, second] = before;
  const isFlag = current.startsWith('-');
  if (first === undefined) return starting(isFlag ? namesOf(globalFlags) : topLevel(), current);
  const inGroup = lookUp(groups, first) !== undefined;
  if (inGroup && second === undefined) {
    const members = Object.keys(commands).filter((name) => name.startsWith(`${first} `));
    return starting(
      members.map((name) => name.slice(first.length + 1)),
      current,
    );
  }
  const path = inGroup ? `${first} ${second}` : first;
  const command = await lookUp(commands, path)?.();
  if (command === undefined) return [];
  if (isFlag) return starting(namesOf(command.flags), current);
  return starting(await argumentsOf(command, context), current);
}

function namesOf(flags: FlagTable): string[] {
  return Object.keys(flags).map((name) => `--${name}`);
}

function topLevel(): string[] {
  return [...Object.keys(commands).filter((name) => !name.includes(' ')), ...Object.keys(groups)].sort();
}

function starting(all: readonly string[], prefix: string): string[] {
  return all.filter((one) => one === files || one.startsWith(prefix));
}

/** Names of the kind of object the usage line speaks of. */
async function argumentsOf(command: Command, context: Context): Promise<readonly string[]> {
  try {
    const { createClient } = await import('../../client/index.ts');
    using client = createClient({ host: context.config.host });
    if (command.usage.includes('PATH | URL') || command.usage.includes('file|URL')) return [files];
    if (command.usage.includes('IMAGE')) {
      const tags = (await client.images.list()).flatMap((image) => image.RepoTags ?? []);
      return command.usage.includes('CONTAINER') ? [...tags, ...(await containerNames(client))] : tags;
    }
    if (command.usage.includes('NETWORK'))
      return (await client.networks.list()).map((network) => network.Name);
    if (command.usage.includes('VOLUME')) {
      return ((await client.volumes.list()).Volumes ?? []).map((volume) => volume.Name);
    }
    if (!command.usage.includes('CONTAINER') && !command.usage.includes('NAME')) return [];
    return await containerNames(client);
  } catch (error) {
    if (error instanceof EngineError) return [];
    throw error;
  }
}

async function containerNames(client: Client): Promise<readonly string[]> {
  const containers = await client.containers.list({ all: true });
  return containers.flatMap(({ Names }) => Names.map((name) => name.replace(/^\//, '')));
}
