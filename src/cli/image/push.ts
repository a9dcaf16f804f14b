import { defineCommand } from '../command.ts';
import { contentTrust } from '../flag-kinds.ts';
import { bool, text } from '../flags.ts';
import { printProgress } from '../output/progress.ts';
import { platformOf } from '../platform.ts';
import { CredentialStore, encodeAuth, serverOf } from '../remote/credentials.ts';
import { splitReference, transferOf } from './reference.ts';

export const pushCommand = defineCommand({
  usage: '[OPTIONS] NAME[:TAG]',
  summary: 'Upload an image to a registry',
  aliases: ['image push', 'push'],
  minArgs: 1,
  maxArgs: 1,
  flags: {
    'all-tags': bool('Push all tags of an image to the repository', { short: 'a' }),
    'disable-content-trust': contentTrust('Skip image signing'),
    platform: text(
      'Push a platform-specific manifest as a single-platform image. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
    quiet: bool('Suppress verbose output', { short: 'q' }),
  },
  async run({ context, values, args }) {
    const [image = ''] = args;
    const { repository, tag } = splitReference(image);
    const allTags = values['all-tags'];
    const { name, usesDefaultTag } = transferOf(image, { allTags });
    if (usesDefaultTag && !values.quiet) context.stdout.write('Using default tag: latest\n');
    const auth = await new CredentialStore(context).get(serverOf(image));
    const { images } = await context.client();
    const messages = images.push({
      repository,
      ...(allTags ? {} : { tag: tag ?? 'latest' }),
      ...platformOf(values.platform),
      ...encodeAuth(auth),
    });
    await printProgress(messages, values.quiet ? { write: () => undefined } : context.stdout);
    if (values.quiet) context.stdout.write(`${name}\n`);
  },
});
