import type { Client } from '../../client/index.ts';
import { isCode } from '../../errors/index.ts';
import type { RunConfig } from '../../oci/index.ts';
import { asRun } from './as-run.ts';
import { describe } from './describe.ts';
import type { Description } from './setting.ts';

/** How `inspect` tells a container in words that make it again. */
export type DescriptionForm = 'run' | 'compose';

/** The text for one container, ended by a newline. Rejects with `notFound` for an unknown one. */
export async function describeContainer(
  client: Client,
  name: string,
  form: DescriptionForm,
): Promise<string> {
  const [container, { CgroupVersion, LoggingDriver }] = await Promise.all([
    client.containers.inspect(name, { size: false }),
    client.system.info(),
  ]);
  const description = describe({
    container,
    image: await imageConfig(client, container.Image),
    cgroupns: CgroupVersion === '2' ? 'private' : 'host',
    logDriver: typeof LoggingDriver === 'string' ? LoggingDriver : '',
  });
  return form === 'run' ? asRun(description) : composeText(description);
}

/** An image removed by force leaves nothing to compare with: then everything is told. */
async function imageConfig(client: Client, id: string): Promise<RunConfig> {
  try {
    return (await client.images.inspect(id)).Config;
  } catch (error) {
    if (isCode(error, 'notFound')) return {};
    throw error;
  }
}

async function composeText(description: Description): Promise<string> {
  const [{ stringify }, { asCompose }] = await Promise.all([import('yaml'), import('./as-compose.ts')]);
  const { document, unsaid } = asCompose(description);
  const remarks = unsaid.map((flag) => `# Compose has no word for ${flag}\n`).join('');
  return remarks + stringify(document);
}
