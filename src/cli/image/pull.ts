import type { Client } from '../../client/index.ts';
import { defineCommand } from '../command.ts';
import { bool, text } from '../flags.ts';
import { type ProgressSink, printProgress } from '../output/progress.ts';
import { splitReference } from './reference.ts';

export interface PullOptions {
  readonly image: string;
  readonly platform?: string;
  readonly quiet: boolean;
  readonly progressTo: ProgressSink;
}

/** Pulls one image, telling the progress unless it is to be quiet. */
export async function pullImage(client: Client, options: PullOptions): Promise<void> {
  const { repository, tag } = splitReference(options.image);
  const at = repository.indexOf('@');
  const from =
    at === -1
      ? { image: repository, tag: tag ?? 'latest' }
      : { image: repository.slice(0, at), tag: repository.slice(at + 1) };
  const messages = client.images.pull({
    ...from,
    ...(options.platform === undefined ? {} : { platform: options.platform }),
  });
  await printProgress(messages, options.quiet ? { write: () => undefined } : options.progressTo);
}

export const pullCommand = defineCommand({
  usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
  summary: 'Download an image from a registry',
  aliases: ['image pull', 'pull'],
  minArgs: 1,
  maxArgs: 1,
  flags: {
    'disable-content-trust': bool('Skip image verification', { initial: true }),
    platform: text('Set platform if server is multi-platform capable'),
    quiet: bool('Suppress verbose output', { short: 'q' }),
  },
  async run({ context, values, args }) {
    const [image = ''] = args;
    const client = await context.client();
    const { repository, tag } = splitReference(image);
    if (tag === undefined && !repository.includes('@') && !values.quiet) {
      context.stdout.write('Using default tag: latest\n');
    }
    await pullImage(client, {
      image,
      quiet: values.quiet,
      progressTo: context.stdout,
      ...(values.platform === '' ? {} : { platform: values.platform }),
    });
    if (values.quiet) context.stdout.write(`${image}\n`);
  },
});
