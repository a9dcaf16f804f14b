import type { Client } from '../../client/index.ts';
import { statusOf } from '../../client/index.ts';
import { EngineError, messageOf } from '../../errors/index.ts';
import type { Context } from '../command.ts';
import { platformOf } from '../platform.ts';
import { proxyVariables } from '../remote/docker-config.ts';
import { terminalSize } from '../terminal/resize.ts';
import { openCidFile } from './cid-file.ts';
import type { ContainerFlagValues } from './container-flags.ts';
import { readEnvFiles, readLabelFiles, readSecurityOpts } from './read-files.ts';
import { createRequest } from './request.ts';

export interface CreateLine {
  readonly flags: ContainerFlagValues & { readonly pull: string };
  readonly given: ReadonlySet<string>;
  readonly args: readonly string[];
  readonly detach: boolean;
}

/** Creates the container of a `run` or `create` line, pulling the image where it is missing. */
export async function createContainer(context: Context, client: Client, line: CreateLine): Promise<string> {
  const { flags } = line;
  if (!['always', 'missing', 'never'].includes(flags.pull)) {
    const text = `invalid pull option: '${flags.pull}': must be one of "always", "missing" or "never"`;
    throw new EngineError('invalidArgument', text);
  }
  const request = await requestOf(context, line);
  await using cidFile = await openCidFile(flags.cidfile);
  const platform = platformOf(flags.platform || context.config.platform);
  const create = () =>
    client.containers.create(request, { ...(flags.name === '' ? {} : { name: flags.name }), ...platform });
  const pull = async () => {
    const { pullImage } = await import('../image/pull.ts');
    await pullImage(context, {
      image: request.Image ?? '',
      quiet: flags.quiet,
      progressTo: context.stderr,
      ...platform,
    });
  };
  if (flags.pull === 'always') await pull();
  let created: Awaited<ReturnType<typeof create>>;
  try {
    created = await create();
  } catch (error) {
    if (flags.pull !== 'missing' || statusOf(error) !== 404 || !messageOf(error).startsWith('No such image'))
      throw error;
    if (!flags.quiet)
      context.stderr.write(`Unable to find image '${withTag(request.Image ?? '')}' locally\n`);
    await pull();
    created = await create();
  }
  for (const warning of created.Warnings) context.stderr.write(`WARNING: ${warning}\n`);
  await cidFile?.write(created.Id);
  return created.Id;
}

async function requestOf(context: Context, line: CreateLine) {
  const { flags, given } = line;
  const { environment, host } = context.config;
  const [image = '', ...args] = line.args;
  const [envFiles, labelFiles, securityOpts] = await Promise.all([
    readEnvFiles(flags['env-file'], environment),
    readLabelFiles(flags['label-file']),
    readSecurityOpts(flags['security-opt']),
  ]);
  const named = new Set(flags.env.map((entry) => entry.split('=', 1)[0] ?? ''));
  const request = createRequest({
    flags,
    given,
    image,
    args,
    environment,
    proxies: proxyVariables(await context.settings(), host, named),
    envFiles,
    labelFiles,
    securityOpts,
    cwd: process.cwd(),
    detach: line.detach,
  });
  const size = flags.tty ? terminalSize(context) : undefined;
  if (size === undefined) return request;
  return {
    ...request,
    HostConfig: { ...request.HostConfig, ConsoleSize: [size.height, size.width] as const },
  };
}

function withTag(image: string): string {
  const lastPart = image.slice(image.lastIndexOf('/') + 1);
  return lastPart.includes(':') || image.includes('@') ? image : `${image}:latest`;
}
