import { text as readText } from 'node:stream/consumers';
import { defineCommand } from '../command.ts';
import { bool } from '../flags.ts';
import { CredentialStore, encodeAuth, serverOf } from './credentials.ts';

export const manifestInspectCommand = defineCommand({
  usage: '[OPTIONS] MANIFEST',
  summary: 'Display an image manifest, or manifest list',
  minArgs: 1,
  maxArgs: 1,
  flags: {
    insecure: bool('Accepted for compatibility; the daemon knows which registries are', { hidden: true }),
    verbose: bool('Output additional info including platforms', { short: 'v' }),
  },
  async run({ context, values, args }) {
    const [name = ''] = args;
    const auth = encodeAuth(await new CredentialStore(context).get(serverOf(name)));
    const { images } = await context.client();
    const document = JSON.parse(await readText(await images.manifest(name, auth))) as object;
    const shown = values.verbose
      ? { Ref: name, ...(await images.describe(name, auth)), Manifest: document }
      : document;
    context.stdout.write(`${JSON.stringify(shown, null, 3)}\n`);
  },
});
