import { EngineError } from '../errors/index.ts';
import { splitLink } from '../network/index.ts';
import type { Container, ContainerRecord } from './record.ts';
import type { ContainerStore } from './store.ts';

/** `--link` on the default network: another container under a name, in /etc/hosts and in the environment. */
export interface Linked {
  readonly alias: string;
  readonly container: Container;
}

/** Whether links are what they were before there were names: on user-defined networks they are just names. */
function hasLegacyLinks({ hostConfig }: ContainerRecord): boolean {
  return ['default', 'bridge', ''].includes(hostConfig.NetworkMode) && (hostConfig.Links ?? []).length > 0;
}

/**
 * The links of which a container gets the addresses when it starts, each to the container that it was made with,
 * whatever that is called now; once that is gone, to the one that has its name.
 */
export function legacyLinks(
  record: ContainerRecord,
  store: Pick<ContainerStore, 'get'>,
): ReturnType<typeof splitLink>[] {
  if (!hasLegacyLinks(record)) return [];
  return (record.hostConfig.Links ?? []).map((link) => {
    const { container: name, alias } = splitLink(link);
    return { container: store.get(record.links?.[name] ?? '')?.record.id ?? name, alias };
  });
}

/** The containers behind them. */
export function linkedContainers(
  record: ContainerRecord,
  store: Pick<ContainerStore, 'get' | 'resolve'>,
): Linked[] {
  return legacyLinks(record, store).map(({ container, alias }) => ({
    alias,
    container: store.resolve(container),
  }));
}

/** Throws Docker's text where a linked container does not run. */
export function assertLinkable(record: ContainerRecord, links: readonly Linked[]): void {
  for (const { alias, container } of links) {
    if (container.state.running) continue;
    throw new EngineError(
      'internal',
      `Cannot link to a non running container: ${container.record.name} AS ${record.name}/${alias}`,
    );
  }
}

/** Entries for /etc/hosts, as `--add-host` takes them: alias, host name and name of each. */
export function linkHosts(links: readonly Linked[]): string[] {
  return links.flatMap(({ alias, container }) => {
    const address = addressOf(container);
    const names = new Set([alias, container.record.config.Hostname, container.record.name.slice(1)]);
    return address === '' ? [] : [`${[...names].join(' ')}:${address}`];
  });
}

/** `DB_NAME`, `DB_PORT…` and `DB_ENV_…` for a link with the alias `db`. */
export function linkEnvironment({ name }: ContainerRecord, links: readonly Linked[]): string[] {
  return links.flatMap(({ alias, container }) => {
    const prefix = alias.replaceAll('-', '_').toUpperCase();
    const address = addressOf(container);
    const ports = Object.keys(container.record.config.ExposedPorts ?? {}).sort(byNumber);
    const [first] = ports;
    const url = (port: string) => `${protocolOf(port)}://${address}:${numberOf(port)}`;
    return [
      ...(first === undefined ? [] : [`${prefix}_PORT=${url(first)}`]),
      ...ports.flatMap((port) => {
        const key = `${prefix}_PORT_${numberOf(port)}_${protocolOf(port).toUpperCase()}`;
        return [
          `${key}=${url(port)}`,
          `${key}_ADDR=${address}`,
          `${key}_PORT=${numberOf(port)}`,
          `${key}_PROTO=${protocolOf(port)}`,
        ];
      }),
      `${prefix}_NAME=${name}/${alias}`,
      ...container.record.config.Env.filter(
        (entry) => !/^(HOME|PATH)(=|$)/.test(entry) && entry.includes('='),
      ).map((entry) => `${prefix}_ENV_${entry}`),
    ];
  });
}

/** Links as `inspect` shows them: `/NAME:/OWN/ALIAS`. */
export function linksView(
  record: ContainerRecord,
  store: Pick<ContainerStore, 'get'>,
): ContainerRecord['hostConfig'] {
  const { hostConfig } = record;
  if (!hasLegacyLinks(record)) return hostConfig;
  const Links = legacyLinks(record, store).map(({ container, alias }) => {
    const name = store.get(container)?.record.name ?? container;
    return `/${name.replace(/^\//, '')}:${record.name}/${alias}`;
  });
  return { ...hostConfig, Links };
}

/** Forgets the link that a container has under an alias. */
export function withoutLink({ record, state }: Container, alias: string): Container {
  const links = record.hostConfig.Links ?? [];
  const kept = links.filter((link) => splitLink(link).alias !== alias);
  if (kept.length === links.length) {
    throw new EngineError('notFound', `No such link: ${record.name}/${alias}`);
  }
  return { record: { ...record, hostConfig: { ...record.hostConfig, Links: kept } }, state };
}

function addressOf({ state }: Container): string {
  return state.connection?.endpoints['bridge']?.IPAddress ?? '';
}

function numberOf(port: string): string {
  return port.split('/')[0] ?? '';
}

function protocolOf(port: string): string {
  return port.split('/')[1] ?? 'tcp';
}

function byNumber(a: string, b: string): number {
  return Number(numberOf(a)) - Number(numberOf(b));
}
