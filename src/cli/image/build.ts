import { rm, writeFile } from 'node:fs/promises';
import type { ProgressMessage } from '../../api/index.ts';
import { environmentProxies } from '../../config/index.ts';
import { EngineError, messageOf } from '../../errors/index.ts';
import { createHttpGet } from '../../lib/http-get.ts';
import { defineCommand } from '../command.ts';
import { bytes, checkedList, contentTrust, swapBytes } from '../flag-kinds.ts';
import { bool, int, list, strings, text } from '../flags.ts';
import { exitCodeOf, printProgress } from '../output/progress.ts';
import { platformFlag, platformOf } from '../platform.ts';
import { CredentialStore, encodeAll } from '../remote/credentials.ts';
import { proxyVariables } from '../remote/docker-config.ts';
import { parseExtraHost, parsePairs, ulimits } from '../run/resources.ts';
import { openBuildContext } from './build-context.ts';
import { tellSending } from './tell-sending.ts';

const ignoredUsage = 'Accepted for compatibility';

export const buildCommand = defineCommand({
  usage: '[OPTIONS] PATH | URL | -',
  summary: 'Build an image from a Dockerfile',
  aliases: ['image build', 'build', 'builder build'],
  minArgs: 1,
  maxArgs: 1,
  flags: {
    'add-host': checkedList('list', 'Add a custom host-to-IP mapping ("host:ip")', { check: parseExtraHost }),
    'build-arg': list('Set build-time variables'),
    'cache-from': strings('Images to consider as cache sources'),
    'cgroup-parent': text('Set the parent cgroup for the "RUN" instructions during build'),
    compress: bool('Compress the build context using gzip'),
    'cpu-period': int('Limit the CPU CFS (Completely Fair Scheduler) period'),
    'cpu-quota': int('Limit the CPU CFS (Completely Fair Scheduler) quota'),
    'cpu-shares': int('CPU shares (relative weight)', { short: 'c' }),
    'cpuset-cpus': text('CPUs in which to allow execution (0-3, 0,1)'),
    'cpuset-mems': text('MEMs in which to allow execution (0-3, 0,1)'),
    'disable-content-trust': contentTrust('Skip image verification'),
    file: text('Name of the Dockerfile (Default is "PATH/Dockerfile")', { short: 'f' }),
    'force-rm': bool('Always remove intermediate containers'),
    iidfile: text('Write the image ID to the file'),
    isolation: text('Container isolation technology'),
    label: list('Set metadata for an image'),
    memory: bytes('Memory limit', { short: 'm' }),
    'memory-swap': swapBytes('Swap limit equal to memory plus swap: -1 to enable unlimited swap'),
    network: text('Set the networking mode for the RUN instructions during build', { initial: 'default' }),
    'no-cache': bool('Do not use cache when building the image'),
    platform: platformFlag,
    progress: text(ignoredUsage, { hidden: true }),
    pull: bool('Always attempt to pull a newer version of the image'),
    quiet: bool('Suppress the build output and print image ID on success', { short: 'q' }),
    rm: bool('Remove intermediate containers after a successful build', { initial: true }),
    'security-opt': strings('Security options'),
    'shm-size': bytes('Size of "/dev/shm"'),
    squash: bool('Squash newly built layers into a single new layer'),
    tag: list('Name and optionally a tag in the "name:tag" format', { short: 't' }),
    target: text('Set the target build stage to build.'),
    ulimit: ulimits(),
  },
  async run({ context, values, args: [source = ''] }) {
    await using get = createHttpGet(environmentProxies(context.config.environment));
    const opened = await openBuildContext(source, values.file, { stdin: context.stdin, get });
    if (values.iidfile !== '') await rm(values.iidfile, { force: true });
    const client = await context.client();
    const tar = opened.tar !== undefined && values.compress ? await gzipped(opened.tar) : opened.tar;
    let log = '';
    const keep = (piece: string) => (log += piece);
    const sink = values.quiet ? { write: keep } : context.stdout;
    const { environment, host } = context.config;
    const args = buildArgs(values['build-arg'], environment);
    const proxies = proxyVariables(await context.settings(), host, new Set(Object.keys(args)));
    const auths = await new CredentialStore(context).all();
    const messages = client.images.build(tar === undefined ? undefined : tellSending(tar, sink), {
      ...(opened.dockerfile === '' ? {} : { dockerfile: opened.dockerfile }),
      ...(opened.remote === undefined ? {} : { remote: opened.remote }),
      tags: values.tag,
      buildArgs: { ...proxies, ...args },
      labels: parsePairs(values.label),
      target: values.target,
      noCache: values['no-cache'],
      pull: values.pull,
      rm: values.rm,
      forceRm: values['force-rm'],
      networkMode: values.network,
      extraHosts: values['add-host'],
      cacheFrom: values['cache-from'],
      shmSize: values['shm-size'],
      memory: values.memory,
      memorySwap: values['memory-swap'],
      cpuShares: values['cpu-shares'],
      cpuPeriod: values['cpu-period'],
      cpuQuota: values['cpu-quota'],
      cpusetCpus: values['cpuset-cpus'],
      cpusetMems: values['cpuset-mems'],
      cgroupParent: values['cgroup-parent'],
      ulimits: values.ulimit,
      ...platformOf(values.platform || context.config.platform),
      ...(values.squash ? { squash: true } : {}),
      securityOpt: values['security-opt'],
      ...(values.isolation === '' ? {} : { isolation: values.isolation }),
      ...(Object.keys(auths).length === 0 ? {} : { registryConfig: encodeAll(auths) }),
    });
    let imageId = '';
    const onAux = (aux: object) => {
      if ('ID' in aux && typeof aux.ID === 'string') imageId = aux.ID;
    };
    try {
      await printProgress(messages as AsyncIterable<ProgressMessage>, sink, onAux);
    } catch (error) {
      // A quiet build that fails shows what it had kept to itself.
      const code = exitCodeOf(error);
      if (code === undefined) throw error;
      context.stderr.write(`${log}${messageOf(error)}\n`);
      return code === 0 ? 1 : code;
    }
    if (values.quiet) context.stdout.write(`${imageId}\n`);
    if (values.iidfile !== '') {
      if (imageId === '')
        throw new EngineError('internal', 'cannot write --iidfile: the daemon told no image ID');
      await writeFile(values.iidfile, imageId);
    }
    return 0;
  },
});

/** `K=V`, or `K` with the caller's value; null leaves it to the Dockerfile's own default. */
function buildArgs(
  pairs: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string | null> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf('=');
      return equals === -1
        ? [pair, environment[pair] ?? null]
        : [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
}

async function gzipped(tar: NodeJS.ReadableStream) {
  const [{ createGzip }, { pipeline }] = await Promise.all([import('node:zlib'), import('node:stream')]);
  return pipeline(tar, createGzip(), () => {
    // A failure of either side destroys both; the request that reads the result reports it.
  });
}
