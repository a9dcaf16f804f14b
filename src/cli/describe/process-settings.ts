import type { ContainerConfig, HostConfig } from '../../api/index.ts';
import type { Healthcheck, RunConfig } from '../../oci/index.ts';
import { duration, each, number, on, one, type Setting, type Subject } from './setting.ts';
import { shellWords } from './shell-words.ts';

/** What `Config` says beyond the image: the process, its surroundings and its labels. */
export function processSettings({ container, image }: Subject): Setting[] {
  const { Config: config, HostConfig: hostConfig, Id: id } = container;
  const ownHostname = config.Hostname === id.slice(0, 12) || sharesHostname(hostConfig);
  return [
    ...one('hostname', ownHostname ? '' : config.Hostname),
    ...one('domainname', config.Domainname),
    ...one('user', config.User === (image.User ?? '') ? '' : config.User),
    ...one('workdir', config.WorkingDir === (image.WorkingDir ?? '') ? '' : config.WorkingDir),
    ...on('interactive', config.OpenStdin),
    ...on('tty', config.Tty),
    ...each('env', added(config.Env, image.Env)),
    ...each('label', added(pairsOf(config.Labels), pairsOf(image.Labels))),
    ...one('stop-signal', config.StopSignal === image.StopSignal ? '' : config.StopSignal),
    ...(config.StopTimeout === image.StopTimeout ? [] : one('stop-timeout', config.StopTimeout?.toString())),
    ...healthSettings(config.Healthcheck, image.Healthcheck),
  ];
}

function sharesHostname({ NetworkMode, UTSMode }: HostConfig): boolean {
  return NetworkMode === 'host' || NetworkMode.startsWith('container:') || UTSMode === 'host';
}

function added(given: readonly string[] | null, before: readonly string[] = []): string[] {
  const known = new Set(before);
  return (given ?? []).filter((entry) => !known.has(entry));
}

function pairsOf(labels: Readonly<Record<string, string>> | null | undefined): string[] {
  return Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
}

function healthSettings(check: Healthcheck | undefined, image: Healthcheck | undefined): Setting[] {
  if (check === undefined || JSON.stringify(check) === JSON.stringify(image)) return [];
  const [kind, ...words] = check.Test ?? [];
  if (kind === 'NONE') return on('no-healthcheck', true);
  // The flag knows only the shell form; words are quoted for it.
  const command = kind === 'CMD' ? shellWords(words) : (words[0] ?? '');
  const same = JSON.stringify(check.Test) === JSON.stringify(image?.Test);
  return [
    ...one('health-cmd', same ? '' : command),
    ...duration('health-interval', check.Interval),
    ...duration('health-timeout', check.Timeout),
    ...duration('health-start-period', check.StartPeriod),
    ...duration('health-start-interval', check.StartInterval),
    ...number('health-retries', check.Retries),
  ];
}

/** `--entrypoint` takes one word: what else the entrypoint has goes before the command. */
export function commandOf(
  config: Pick<ContainerConfig, 'Entrypoint' | 'Cmd'>,
  image: RunConfig,
): { readonly entrypoint: readonly Setting[]; readonly args: readonly string[] } {
  const entrypoint = config.Entrypoint ?? [];
  const command = config.Cmd ?? [];
  if (isSame(entrypoint, image.Entrypoint ?? [])) {
    if (isSame(command, image.Cmd ?? [])) return { entrypoint: [], args: [] };
    if (command.length > 0) return { entrypoint: [], args: command };
    // Only an entrypoint of one's own takes the image's command away.
  }
  const [first = '', ...rest] = entrypoint;
  return { entrypoint: [{ flag: 'entrypoint', value: first }], args: [...rest, ...command] };
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((word, index) => word === b[index]);
}
