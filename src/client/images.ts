import type { Readable } from 'node:stream';
import type {
  DistributionInspect,
  ImageDeleteItem,
  ImageHistoryItem,
  ImageInspect,
  ImageSummary,
  ProgressMessage,
  SearchResult,
  Ulimit,
} from '../api/index.ts';
import { type FilterValues, filtersText } from './filter-values.ts';
import { jsonObjects } from './json-stream.ts';
import type { Transport } from './transport.ts';

/** `POST /build`; sizes in bytes. */
export interface BuildQuery {
  /** Path in the context; default `Dockerfile`. */
  readonly dockerfile?: string;
  /** URL of the context, instead of one that is sent. */
  readonly remote?: string;
  readonly tags?: readonly string[];
  readonly buildArgs?: Readonly<Record<string, string | null>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly target?: string;
  readonly noCache?: boolean;
  readonly pull?: boolean;
  readonly quiet?: boolean;
  readonly rm?: boolean;
  readonly forceRm?: boolean;
  readonly squash?: boolean;
  readonly securityOpt?: readonly string[];
  readonly isolation?: string;
  readonly networkMode?: string;
  readonly extraHosts?: readonly string[];
  readonly cacheFrom?: readonly string[];
  readonly platform?: string;
  readonly shmSize?: number;
  readonly memory?: number;
  readonly memorySwap?: number;
  readonly cpuShares?: number;
  readonly cpuPeriod?: number;
  readonly cpuQuota?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly cgroupParent?: string;
  readonly ulimits?: readonly Ulimit[];
  /** base64url of credentials by registry; sent as a header. */
  readonly registryConfig?: string;
}

/** Everything about images. Progress streams end with an `errorDetail` message when the work failed. */
export function imageCalls(transport: Transport) {
  const at = (name: string, rest = '') => `/images/${pathOf(name)}${rest}`;

  return {
    list(
      query: { all?: boolean; digests?: boolean; filters?: FilterValues; signal?: AbortSignal } = {},
    ): Promise<ImageSummary[]> {
      const { filters, signal, ...rest } = query;
      return transport.call('GET', '/images/json', {
        query: { ...rest, filters: filtersText(filters) },
        signal,
      });
    },
    inspect: (name: string, query: { platform?: string } = {}, signal?: AbortSignal): Promise<ImageInspect> =>
      transport.call('GET', at(name, '/json'), { query, signal }),
    history: (
      name: string,
      query: { platform?: string } = {},
      signal?: AbortSignal,
    ): Promise<ImageHistoryItem[]> => transport.call('GET', at(name, '/history'), { query, signal }),
    tag: (name: string, to: { repository: string; tag?: string }, signal?: AbortSignal): Promise<void> =>
      transport.call('POST', at(name, '/tag'), { query: { repo: to.repository, tag: to.tag }, signal }),
    remove(
      name: string,
      options: { force?: boolean; noPrune?: boolean; platforms?: readonly string[] } = {},
      signal?: AbortSignal,
    ): Promise<ImageDeleteItem[]> {
      const query = { force: options.force, noprune: options.noPrune, platforms: options.platforms };
      return transport.call('DELETE', at(name), { query, signal });
    },
    prune(
      filters: FilterValues = {},
      signal?: AbortSignal,
    ): Promise<{
      readonly ImagesDeleted: readonly ImageDeleteItem[] | null;
      readonly SpaceReclaimed: number;
    }> {
      return transport.call('POST', '/images/prune', { query: { filters: filtersText(filters) }, signal });
    },
    /** `context` is a tar, plain or compressed; `undefined` with `remote`. */
    async *build(
      context: Readable | undefined,
      options: BuildQuery = {},
      signal?: AbortSignal,
    ): AsyncGenerator<ProgressMessage, void, undefined> {
      const { registryConfig } = options;
      const response = await transport.open('POST', '/build', {
        query: buildQuery(options),
        ...(registryConfig === undefined ? {} : { headers: { 'X-Registry-Config': registryConfig } }),
        ...(context === undefined ? {} : { body: context, contentType: 'application/x-tar' }),
        signal,
      });
      yield* jsonObjects<ProgressMessage>(response);
    },
    async *load(
      archive: Readable,
      options: { quiet?: boolean; platform?: string } = {},
      signal?: AbortSignal,
    ): AsyncGenerator<ProgressMessage, void, undefined> {
      // Left out it means quiet.
      const query = { quiet: false, ...options };
      const call = { query, body: archive, contentType: 'application/x-tar', signal };
      yield* jsonObjects<ProgressMessage>(await transport.open('POST', '/images/load', call));
    },
    /** One tar of all the images; with `since` (Gantry's own) without the layers that those images have. */
    save: (
      names: readonly string[],
      options: { since?: readonly string[]; platform?: string } = {},
      signal?: AbortSignal,
    ): Promise<Readable> => transport.open('GET', '/images/get', { query: { names, ...options }, signal }),
    /** One layer from a root file system tar; `source` is a URL instead of the tar. */
    async *import(
      tar: Readable | undefined,
      options: {
        source?: string;
        repository?: string;
        tag?: string;
        message?: string;
        changes?: readonly string[];
        platform?: string;
      },
      signal?: AbortSignal,
    ): AsyncGenerator<ProgressMessage, void, undefined> {
      const { source = '-', repository, ...rest } = options;
      const response = await transport.open('POST', '/images/create', {
        query: { fromSrc: source, repo: repository, ...rest },
        ...(tar === undefined ? {} : { body: tar, contentType: 'application/x-tar' }),
        signal,
      });
      yield* jsonObjects<ProgressMessage>(response);
    },
    /** What a registry has under a name. */
    describe: (
      name: string,
      options: { registryAuth?: string } = {},
      signal?: AbortSignal,
    ): Promise<DistributionInspect> =>
      transport.call('GET', `/distribution/${pathOf(name)}/json`, { ...authHeader(options), signal }),
    /** The manifest or index a registry has under a name, as it is. */
    manifest: (
      name: string,
      options: { registryAuth?: string } = {},
      signal?: AbortSignal,
    ): Promise<Readable> =>
      transport.open('GET', `/distribution/${pathOf(name)}/manifest`, { ...authHeader(options), signal }),
    search(
      term: string,
      options: { limit?: number; filters?: FilterValues; registryAuth?: string } = {},
      signal?: AbortSignal,
    ): Promise<SearchResult[]> {
      const query = { term, limit: options.limit, filters: filtersText(options.filters) };
      return transport.call('GET', '/images/search', { query, ...authHeader(options), signal });
    },
    /** Without a tag all tags of the repository. */
    async *push(
      to: { repository: string; tag?: string; platform?: string; registryAuth?: string },
      signal?: AbortSignal,
    ): AsyncGenerator<ProgressMessage, void, undefined> {
      // Docker's API wants the header, if only to say nothing.
      const headers = { 'X-Registry-Auth': to.registryAuth ?? emptyAuth };
      const call = { query: { tag: to.tag, platform: to.platform }, headers, signal };
      yield* jsonObjects<ProgressMessage>(await transport.open('POST', at(to.repository, '/push'), call));
    },
    async *pull(
      from: { image: string; tag?: string; platform?: string; registryAuth?: string },
      signal?: AbortSignal,
    ): AsyncGenerator<ProgressMessage, void, undefined> {
      const response = await transport.open('POST', '/images/create', {
        query: { fromImage: from.image, tag: from.tag, platform: from.platform },
        ...authHeader(from),
        signal,
      });
      yield* jsonObjects<ProgressMessage>(response);
    },
  };
}

/** base64 of `{}`. */
const emptyAuth = 'e30=';

function authHeader({ registryAuth }: { readonly registryAuth?: string }) {
  return registryAuth === undefined ? {} : { headers: { 'X-Registry-Auth': registryAuth } };
}

function pathOf(name: string): string {
  return encodeURIComponent(name).replaceAll('%2F', '/');
}

function buildQuery(
  options: BuildQuery,
): Readonly<Record<string, string | number | boolean | readonly string[] | undefined>> {
  const json = (value: object | undefined) => (value === undefined ? undefined : JSON.stringify(value));
  return {
    dockerfile: options.dockerfile,
    remote: options.remote,
    t: options.tags,
    buildargs: json(options.buildArgs),
    labels: json(options.labels),
    target: options.target,
    nocache: options.noCache,
    pull: options.pull,
    q: options.quiet,
    rm: options.rm,
    forcerm: options.forceRm,
    squash: options.squash,
    securityopt: options.securityOpt,
    isolation: options.isolation,
    networkmode: options.networkMode,
    extrahosts: options.extraHosts,
    cachefrom: json(options.cacheFrom),
    platform: options.platform,
    shmsize: options.shmSize,
    memory: options.memory,
    memswap: options.memorySwap,
    cpushares: options.cpuShares,
    cpuperiod: options.cpuPeriod,
    cpuquota: options.cpuQuota,
    cpusetcpus: options.cpusetCpus,
    cpusetmems: options.cpusetMems,
    cgroupparent: options.cgroupParent,
    ulimits: json(options.ulimits),
    version: '1',
  };
}
