import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { EngineError, isCode } from '../../errors/index.ts';
import { type Context, defineCommand } from '../command.ts';
import { confirm } from '../confirm.ts';
import { filter } from '../flag-kinds.ts';
import { bool, list, strings, text } from '../flags.ts';
import { printProgress } from '../output/progress.ts';
import { humanSize } from '../output/units.ts';
import { platformFlag, platformOf } from '../platform.ts';
import { pruneFilters } from '../remote/docker-config.ts';
import { openError } from '../run/env-file.ts';
import { errorText } from '../tell-error.ts';
import { splitReference } from './reference.ts';

/** Writes to a file that appears only when it is complete, or to stdout when that is no terminal. */
export async function writeOutput(context: Context, stream: Readable, path: string): Promise<void> {
  if (path === '') {
    await pipeline(stream, context.stdout, { end: false });
    return;
  }
  const special = existsSync(path) && path.startsWith('/dev/');
  const temporary = special ? path : `${path}.tmp-${process.pid}`;
  try {
    await pipeline(stream, createWriteStream(temporary));
    if (!special) await rename(temporary, path);
  } catch (error) {
    if (!special) await rm(temporary, { force: true });
    throw openError(path, error);
  }
}

export function refuseTerminal(context: Context, output: string, verb: string): void {
  if (output === '' && context.stdout.isTTY) {
    const text = `cowardly refusing to ${verb} to a terminal. Use the -o flag or redirect`;
    throw new EngineError('invalidArgument', text);
  }
}

export const tagCommand = defineCommand({
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
  aliases: ['image tag', 'tag'],
  minArgs: 2,
  maxArgs: 2,
  flags: {},
  async run({ context, args }) {
    const [source = '', target = ''] = args;
    await (await context.client()).images.tag(source, splitReference(target));
  },
});

export const rmiCommand = defineCommand({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Remove one or more images',
  aliases: ['image rm', 'image remove', 'rmi'],
  minArgs: 1,
  flags: {
    force: bool('Force removal of the image', { short: 'f' }),
    'no-prune': bool('Do not delete untagged parents'),
    platform: strings(
      'Remove only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
  },
  async run({ context, values, args }) {
    const { images } = await context.client();
    let code = 0;
    for (const name of args) {
      try {
        const items = await images.remove(name, {
          force: values.force,
          noPrune: values['no-prune'],
          platforms: values.platform,
        });
        for (const item of items) {
          context.stdout.write(
            'Untagged' in item ? `Untagged: ${item.Untagged}\n` : `Deleted: ${item.Deleted}\n`,
          );
        }
      } catch (error) {
        context.stderr.write(`${errorText(error)}\n`);
        if (!(values.force && isCode(error, 'notFound'))) code = 1;
      }
    }
    return code;
  },
});

export const imagePruneCommand = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Remove unused images',
  minArgs: 0,
  maxArgs: 0,
  flags: {
    all: bool('Remove all unused images, not just dangling ones', { short: 'a' }),
    filter: filter('Provide filter values (e.g. "until=<timestamp>")'),
    force: bool('Do not prompt for confirmation', { short: 'f' }),
  },
  async run({ context, values }) {
    const what = values.all
      ? 'all images without at least one container associated to them.'
      : 'all dangling images.';
    if (!values.force && !(await confirm(context, `This will remove ${what}`))) return 0;
    const { images } = await context.client();
    const filters = pruneFilters(await context.settings(), values.filter);
    const pruned = await images.prune({ ...filters, dangling: [values.all ? 'false' : 'true'] });
    const items = pruned.ImagesDeleted ?? [];
    if (items.length > 0) context.stdout.write('Deleted Images:\n');
    for (const item of items) {
      context.stdout.write(
        'Untagged' in item ? `untagged: ${item.Untagged}\n` : `deleted: ${item.Deleted}\n`,
      );
    }
    if (items.length > 0) context.stdout.write('\n');
    context.stdout.write(`Total reclaimed space: ${humanSize(pruned.SpaceReclaimed)}\n`);
    return 0;
  },
});

export const saveCommand = defineCommand({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Save one or more images to a tar archive (streamed to STDOUT by default)',
  aliases: ['image save', 'save'],
  minArgs: 1,
  flags: {
    output: text('Write to a file, instead of STDOUT', { short: 'o' }),
    platform: text(
      'Save only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
    since: list('Leave out the layers of this image, which whoever loads the archive must have'),
  },
  async run({ context, values, args }) {
    refuseTerminal(context, values.output, 'save');
    const options = { since: values.since, ...platformOf(values.platform) };
    const { images } = await context.client();
    await writeOutput(context, await images.save(args, options), values.output);
  },
});

export const loadCommand = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Load an image from a tar archive or STDIN',
  aliases: ['image load', 'load'],
  minArgs: 0,
  maxArgs: 0,
  flags: {
    input: text('Read from tar archive file, instead of STDIN', { short: 'i' }),
    platform: text(
      'Load only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
    quiet: bool('Suppress the load output', { short: 'q' }),
  },
  async run({ context, values }) {
    if (values.input === '' && context.stdin.isTTY) {
      throw new EngineError('invalidArgument', 'requested load from stdin, but stdin is empty');
    }
    const archive = values.input === '' ? context.stdin : await openInput(values.input);
    const { images } = await context.client();
    const quiet = values.quiet || !context.stdout.isTTY;
    await printProgress(images.load(archive, { quiet, ...platformOf(values.platform) }), context.stdout);
  },
});

/** A file as a stream, opened at once so that a missing one is told before anything is sent. */
export async function openInput(path: string): Promise<Readable> {
  const { open } = await import('node:fs/promises');
  try {
    const file = await open(path, 'r');
    if ((await file.stat()).isDirectory()) {
      await file.close();
      throw new EngineError('invalidArgument', `read ${path}: is a directory`);
    }
    return createReadStream('', { fd: file, autoClose: true });
  } catch (error) {
    throw openError(path, error);
  }
}

export const importCommand = defineCommand({
  usage: '[OPTIONS] file|URL|- [REPOSITORY[:TAG]]',
  summary: 'Import the contents from a tarball to create a filesystem image',
  aliases: ['image import', 'import'],
  minArgs: 1,
  maxArgs: 2,
  flags: {
    change: list('Apply Dockerfile instruction to the created image', { short: 'c' }),
    message: text('Set commit message for imported image', { short: 'm' }),
    platform: platformFlag,
  },
  async run({ context, values, args }) {
    const [source = '', reference] = args;
    const isUrl = /^https?:\/\//.test(source);
    const tar = isUrl ? undefined : source === '-' ? context.stdin : await openInput(source);
    const { images } = await context.client();
    const messages = images.import(tar, {
      ...(isUrl ? { source } : {}),
      ...(reference === undefined ? {} : splitReference(reference)),
      ...(values.message === '' ? {} : { message: values.message }),
      ...platformOf(values.platform || context.config.platform),
      changes: values.change,
    });
    await printProgress(messages, context.stdout);
  },
});
