import { type Context, defineCommand } from '../command.ts';
import { contentTrust } from '../flag-kinds.ts';
import { bool } from '../flags.ts';
import { type ProgressSink, printProgress } from '../output/progress.ts';
import { platformFlag, platformOf } from '../platform.ts';
import { CredentialStore, encodeAuth, serverOf } from '../remote/credentials.ts';
import { splitReference, transferOf } from './reference.ts';

export interface PullOptions {
  readonly image: string;
  readonly allTags?: boolean;
  readonly platform?: string;
  readonly quiet: boolean;
  readonly progressTo: ProgressSink;
}

/** Pulls one image, or all tags of a repository, telling the progress unless it is to be quiet. */
export async function pullImage(context: Context, options: PullOptions): Promise<void> {
  const { repository, tag } = splitReference(options.image);
  const at = repository.indexOf('@');
  const from =
    at === -1
      ? { image: repository, ...(options.allTags === true ? {} : { tag: tag ?? 'latest' }) }
      : { image: repository.slice(0, at), tag: repository.slice(at + 1) };
  const auth = await new CredentialStore(context).get(serverOf(options.image));
  const client = await context.client();
  const messages = client.images.pull({
    ...from,
    ...(options.platform === undefined ? {} : { platform: options.platform }),
    ...encodeAuth(auth),
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
    'all-tags': bool('Download all tagged images in the repository', { short: 'a' }),
    'disable-content-trust': contentTrust('Skip image verification'),
    platform: platformFlag,
    quiet: bool('Suppress verbose output', { short: 'q' }),
  },
  async run({ context, values, args }) {
    const [image = ''] = args;
    const allTags = values['all-tags'];
    const { name, usesDefaultTag } = transferOf(image, { allTags });
    if (usesDefaultTag && !values.quiet) context.stdout.write('Using default tag: latest\n');
    await pullImage(context, {
      image,
      allTags,
      quiet: values.quiet,
      progressTo: context.stdout,
      ...platformOf(values.platform || context.config.platform),
    });
    context.stdout.write(`${name}\n`);
  },
});
