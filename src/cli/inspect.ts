import { type Client, statusOf } from '../client/index.ts';
import { EngineError, isCode } from '../errors/index.ts';
import { type Command, type Context, defineCommand } from './command.ts';
import type { DescriptionForm } from './describe/print.ts';
import { objectFormat } from './flag-kinds.ts';
import { bool, text } from './flags.ts';
import { renderValue } from './output/listing.ts';
import { errorText } from './tell-error.ts';

/** `--as-run` and `--as-compose`: containers only. */
const descriptionFlags = {
  'as-run': bool('Print the shortest command that makes the container again'),
  'as-compose': bool('Print a Compose file that makes the container again'),
};

type Lookup = (client: Client, name: string, options: { readonly size: boolean }) => Promise<unknown>;

const lookups = {
  container: (client, name, { size }) => client.containers.inspect(name, { size }),
  image: (client, name) => client.images.inspect(name),
  network: (client, name) => client.networks.inspect(name),
  volume: (client, name) => client.volumes.inspect(name),
} satisfies Record<string, Lookup>;

/** Prints what is found, then tells what is not: exit code 1 for any that is missing. */
async function inspectAll(
  context: Context,
  names: readonly string[],
  options: { readonly format: string; readonly look: (name: string) => Promise<unknown> },
): Promise<number> {
  const results = await Promise.allSettled(names.map(options.look));
  const found = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failures = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  );
  if (options.format === '') {
    context.stdout.write(found.length === 0 ? '[]\n' : `${JSON.stringify(found, null, 4)}\n`);
  } else for (const one of found) context.stdout.write(renderValue(one, options.format));
  for (const failure of failures) context.stderr.write(`${errorText(failure)}\n`);
  return failures.length === 0 ? 0 : 1;
}

/** The form that was asked for. Throws `invalidArgument` for several at once. */
function formOf(values: {
  readonly 'as-run': boolean;
  readonly 'as-compose': boolean;
  readonly format: string;
}): DescriptionForm | undefined {
  const { 'as-run': asRun, 'as-compose': asCompose, format } = values;
  if ((asRun && asCompose) || ((asRun || asCompose) && format !== '')) {
    throw new EngineError('invalidArgument', 'only one of --as-run, --as-compose and --format can be used');
  }
  return asRun ? 'run' : asCompose ? 'compose' : undefined;
}

/** Prints the containers there are, then tells which are not: exit code 1 for any that is missing. */
async function describeAll(
  context: Context,
  names: readonly string[],
  form: DescriptionForm,
): Promise<number> {
  const client = await context.client();
  const { describeContainer } = await import('./describe/print.ts');
  let exitCode = 0;
  for (const name of names) {
    try {
      context.stdout.write(await describeContainer(client, name, form));
    } catch (error) {
      if (!isCode(error, 'notFound')) throw error;
      context.stderr.write(`${errorText(error)}\n`);
      exitCode = 1;
    }
  }
  return exitCode;
}

function inspectCommand(kind: 'image' | 'network' | 'volume', word: string): Command {
  return defineCommand({
    usage: `[OPTIONS] ${word} [${word}...]`,
    summary: `Display detailed information on one or more ${kind}s`,
    minArgs: 1,
    flags: {
      format: objectFormat({ short: 'f' }),
      size: bool('Display total file sizes', { short: 's', hidden: true }),
    },
    async run({ context, values, args }) {
      const client = await context.client();
      const look = (name: string) => (lookups[kind] as Lookup)(client, name, { size: values.size });
      return inspectAll(context, args, { format: values.format, look });
    },
  });
}

export const containerInspectCommand = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Display detailed information on one or more containers',
  minArgs: 1,
  flags: {
    ...descriptionFlags,
    format: objectFormat({ short: 'f' }),
    size: bool('Display total file sizes', { short: 's' }),
  },
  async run({ context, values, args }) {
    const form = formOf(values);
    if (form !== undefined) return describeAll(context, args, form);
    const { containers } = await context.client();
    const look = (name: string) => containers.inspect(name, { size: values.size });
    return inspectAll(context, args, { format: values.format, look });
  },
});
export const imageInspectCommand = inspectCommand('image', 'IMAGE');
export const networkInspectCommand = inspectCommand('network', 'NETWORK');
export const volumeInspectCommand = inspectCommand('volume', 'VOLUME');

export const inspectAnyCommand = defineCommand({
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  summary: 'Return low-level information on Docker objects',
  minArgs: 1,
  flags: {
    ...descriptionFlags,
    format: objectFormat({ short: 'f' }),
    size: bool('Display total file sizes if the type is container', { short: 's' }),
    type: text('Only inspect objects of the given type'),
  },
  async run({ context, values, given, args }) {
    if (given.has('type') && !Object.hasOwn(lookups, values.type)) {
      const shown = values.type === '' ? 'type is empty' : `unknown type: ${JSON.stringify(values.type)}`;
      throw new EngineError(
        'invalidArgument',
        `${shown}: must be one of "container", "image", "network", "volume"`,
      );
    }
    const form = formOf(values);
    if (form !== undefined) return describeAll(context, args, form);
    const client = await context.client();
    const kinds: readonly Lookup[] = given.has('type')
      ? [lookups[values.type as keyof typeof lookups]]
      : Object.values(lookups);
    const look = async (name: string) => {
      for (const kind of kinds) {
        try {
          return await kind(client, name, { size: values.size });
        } catch (error) {
          // A name that is no valid reference of this kind may still be one of the next.
          const isOtherKind = isCode(error, 'notFound') || isCode(error, 'invalidArgument');
          if (!isOtherKind || statusOf(error) === undefined) throw error;
        }
      }
      const what = given.has('type') ? values.type : 'object';
      throw new EngineError('notFound', `Error: No such ${what}: ${name}`);
    };
    return inspectAll(context, args, { format: values.format, look });
  },
});
