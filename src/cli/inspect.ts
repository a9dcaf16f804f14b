import { type Client, statusOf } from '../client/index.ts';
import { EngineError, isCode } from '../errors/index.ts';
import { type Context, defineCommand } from './command.ts';
import type { DescriptionForm } from './describe/print.ts';
import { objectFormat } from './flag-kinds.ts';
import { bool, text } from './flags.ts';
import { checkFormat, renderValue } from './output/listing.ts';
import { inspectShapes } from './output/shapes.ts';
import { platformOf } from './platform.ts';
import { errorText } from './tell-error.ts';

/** `--as-run` and `--as-compose`: containers only. */
const descriptionFlags = {
  'as-run': bool('Print the shortest command that makes the container again'),
  'as-compose': bool('Print a Compose file that makes the container again'),
};

type Kind = keyof typeof inspectShapes;

/** An object as the daemon tells it. */
interface Found {
  readonly kind: Kind;
  readonly value: unknown;
}

interface LookupOptions {
  readonly size: boolean;
  /** Of an image; empty for the one there is. */
  readonly platform?: string;
  /** Of a network. */
  readonly verbose?: boolean;
}

type Lookup = (client: Client, name: string, options: LookupOptions) => Promise<unknown>;

const lookups: Readonly<Record<Kind, Lookup>> = {
  container: (client, name, { size }) => client.containers.inspect(name, { size }),
  image: (client, name, { platform = '' }) => client.images.inspect(name, platformOf(platform)),
  network: (client, name, { verbose = false }) => client.networks.inspect(name, { verbose }),
  volume: (client, name) => client.volumes.inspect(name),
};

/** Prints what is found, then tells what is not: exit code 1 for any that is missing, Docker's 64 for a bad template. */
async function inspectAll(
  context: Context,
  names: readonly string[],
  options: { readonly format: string; readonly look: (name: string) => Promise<Found> },
): Promise<number> {
  try {
    checkFormat(options.format);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    context.stderr.write(`${error.message}\n`);
    return 64;
  }
  const results = await Promise.allSettled(names.map(options.look));
  const found = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const failures = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  );
  let output = '';
  if (options.format === '') {
    const values = found.map(({ value }) => value);
    output = found.length === 0 ? '[]\n' : `${JSON.stringify(values, null, 4)}\n`;
  } else {
    for (const { kind, value } of found) {
      try {
        output += renderValue(value, options.format, inspectShapes[kind]);
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        failures.push(error);
      }
    }
  }
  // Where a template has nothing to show Docker prints a line all the same.
  context.stdout.write(output || (options.format === 'json' ? '[]\n' : '\n'));
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

/** `inspect` of one kind, with the options that only this kind's has. */
async function inspectKind(
  context: Context,
  kind: Kind,
  names: readonly string[],
  values: { readonly format: string } & LookupOptions,
): Promise<number> {
  const { format, ...options } = values;
  const client = await context.client();
  const look = async (name: string) => ({ kind, value: await lookups[kind](client, name, options) });
  return inspectAll(context, names, { format, look });
}

const size = bool('Display total file sizes', { short: 's', hidden: true });

export const imageInspectCommand = defineCommand({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Display detailed information on one or more images',
  minArgs: 1,
  flags: {
    format: objectFormat({ short: 'f' }),
    platform: text(
      'Inspect a specific platform of the multi-platform image. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
    size,
  },
  run: ({ context, values, args }) => inspectKind(context, 'image', args, values),
});

export const networkInspectCommand = defineCommand({
  usage: '[OPTIONS] NETWORK [NETWORK...]',
  summary: 'Display detailed information on one or more networks',
  minArgs: 1,
  flags: {
    format: objectFormat({ short: 'f' }),
    size,
    verbose: bool('Verbose output for diagnostics', { short: 'v' }),
  },
  run: ({ context, values, args }) => inspectKind(context, 'network', args, values),
});

export const volumeInspectCommand = defineCommand({
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  summary: 'Display detailed information on one or more volumes',
  minArgs: 1,
  flags: { format: objectFormat({ short: 'f' }), size },
  run: ({ context, values, args }) => inspectKind(context, 'volume', args, values),
});

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
    return inspectKind(context, 'container', args, { format: values.format, size: values.size });
  },
});
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
    const kinds = given.has('type') ? [values.type as Kind] : (Object.keys(lookups) as Kind[]);
    const look = async (name: string) => {
      for (const kind of kinds) {
        try {
          return { kind, value: await lookups[kind](client, name, { size: values.size }) };
        } catch (error) {
          if (given.has('type')) throw error;
          // A name that is no valid reference of this kind may still be one of the next.
          const isOtherKind = isCode(error, 'notFound') || isCode(error, 'invalidArgument');
          if (!isOtherKind || statusOf(error) === undefined) throw error;
        }
      }
      throw new EngineError('notFound', `Error: No such object: ${name}`);
    };
    return inspectAll(context, args, { format: values.format, look });
  },
});
