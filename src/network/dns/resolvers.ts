import type { Endpoints } from '../endpoints.ts';
import { builtinNames, type NetworkRecords } from '../records.ts';
import { resolverAddress } from './redirect.ts';
import type { ResolverView } from './resolver.ts';

export interface ResolversOptions {
  readonly records: NetworkRecords;
  readonly endpoints: Endpoints;
}

export interface ResolverTarget {
  readonly containerId: string;
  readonly namespacePath: string;
  /** Servers of `--dns`; with none the host's are asked. */
  readonly servers: readonly string[];
}

/** The resolvers of this engine's containers. Nothing of it is loaded before the first one opens. */
export class Resolvers implements Disposable {
  readonly #options: ResolversOptions;
  readonly #open = new Map<string, Disposable>();

  constructor(options: ResolversOptions) {
    this.#options = options;
  }

  has(containerId: string): boolean {
    return this.#open.has(containerId);
  }

  /** Resolves when names can be asked for. */
  async open({ containerId, namespacePath, servers }: ResolverTarget): Promise<void> {
    const { openResolver } = await import('./resolver.ts');
    const others = servers.filter((server) => server !== resolverAddress);
    const opened = await openResolver({
      namespacePath,
      view: () => this.#view(containerId, others),
    });
    this.close(containerId);
    this.#open.set(containerId, opened);
  }

  close(containerId: string): void {
    this.#open.get(containerId)?.[Symbol.dispose]();
    this.#open.delete(containerId);
  }

  [Symbol.dispose](): void {
    for (const id of [...this.#open.keys()]) this.close(id);
  }

  #view(containerId: string, servers: readonly string[]): ResolverView {
    const { records, endpoints } = this.#options;
    const own = endpoints.of(containerId).flatMap((endpoint) => {
      const record = records.get(endpoint.networkId);
      return record === undefined ? [] : [{ record, links: endpoint.links }];
    });
    return {
      networks: own
        .filter(({ record }) => !builtinNames.includes(record.name))
        .map(({ record, links }) => ({ name: record.name, endpoints: endpoints.on(record.id), links })),
      // Those of an internal network's containers may be on it.
      servers: servers.length === 0 && own.every(({ record }) => record.internal) ? undefined : servers,
    };
  }
}
