import { EngineError } from '../../errors/index.ts';
import { defineCommand } from '../command.ts';
import { bool, text } from '../flags.ts';
import { printProgress } from '../output/progress.ts';
import { platformOf } from '../platform.ts';
import { CredentialStore, encodeAuth, serverOf } from '../remote/credentials.ts';
import { splitReference } from './reference.ts';

export const pushCommand = defineCommand({
  usage: '[OPTIONS] NAME[:TAG]',
  summary: 'Upload an image to a registry',
  aliases: ['image push', 'push'],
  minArgs: 1,
  maxArgs: 1,
  flags: {
    'all-tags': bool('Push all tags of an image to the repository', { short: 'a' }),
    'disable-content-trust': bool('Skip image signing', { initial: true }),
    platform: text(
      'Push a platform-specific manifest as a single-platform image. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
    ),
    quiet: bool('Suppress verbose output', { short: 'q' }),
  },
  async run({ context, values, args }) {
    const [image = ''] = args;
    const { repository, tag } = splitReference(image);
    if (values['all-tags'] && tag !== undefined) {
      throw new EngineError('invalidArgument', "tag can't be used with --all-tags/-a");
    }
    const say = (line: string) => {
      if (!values.quiet) context.stdout.write(`${line}\n`);
    };
    if (tag === undefined && !values['all-tags'] && !repository.includes('@'))
      say('Using default tag: latest');
    const auth = await new CredentialStore(context).get(serverOf(image));
    const { images } = await context.client();
    const messages = images.push({
      repository,
      ...(values['all-tags'] ? {} : { tag: tag ?? 'latest' }),
      ...platformOf(values.platform),
      ...encodeAuth(auth),
    });
    await printProgress(messages, values.quiet ? { write: () => undefined } : context.stdout);
    if (values.quiet) context.stdout.write(`${image}\n`);
  },
});
