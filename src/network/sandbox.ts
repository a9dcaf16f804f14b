import { basename, join } from 'node:path';
import { randomId } from '../lib/ids.ts';
import type { InterfaceSysctl } from './endpoint-options.ts';
import { ip, ipForce, type KernelNames, namespaceDirectory, prepareNamespace } from './kernel.ts';
import { type EndpointLink, insideLines, vethLines } from './links.ts';

/** One interface of a container to be. */
export interface SandboxEndpoint {
  readonly networkId: string;
  readonly endpointId: string;
  readonly bridge: string;
  readonly isIsolated: boolean;
  readonly mtu: number;
  readonly mac: string;
  readonly address: string;
  readonly prefix: number;
  readonly gateway: string;
  /** `gw-priority`; 0 unless given. */
  readonly gatewayPriority: number;
  readonly linkLocal: readonly string[];
  /** Its name in the container; the network's prefix and the first number that is free unless given. */
  readonly device?: string | undefined;
  readonly devicePrefix: string;
  readonly sysctls: readonly InterfaceSysctl[];
}

/** A network namespace with its interfaces; `gatewayOf` tells whose the default route is. */
export interface Sandbox {
  readonly sandboxId: string;
  readonly endpoints: readonly SandboxEndpoint[];
}

/** The endpoint with the way out, which is the one that ports are published on. */
export function gatewayOf({ endpoints }: Sandbox): SandboxEndpoint | undefined {
  const ways = endpoints.filter(({ gateway }) => gateway !== '');
  return firstByPriority(ways, ({ gatewayPriority }) => gatewayPriority);
}

/** The first of those with the highest priority. */
export function firstByPriority<T>(all: readonly T[], priorityOf: (one: T) => number): T | undefined {
  const highest = Math.max(...all.map(priorityOf));
  return all.find((one) => priorityOf(one) === highest);
}

/** What Docker calls an interface that has no name of its own. */
export function freeDevice({ devicePrefix }: SandboxEndpoint, taken: ReadonlySet<string>): string {
  for (let index = 0; ; index += 1) {
    const device = `${devicePrefix}${index}`;
    if (!taken.has(device)) return device;
  }
}

/** So long a removal waits for more to go with it, and leaves the machine to what follows the end of a container. */
const gatherMs = 50;

/** Makes and removes network namespaces, several with one program call. */
export class Sandboxes {
  readonly #names: KernelNames;
  /** Host interface names carry four digits of an endpoint's id: no two that live may share them. */
  readonly #veths = new Set<string>();
  readonly #queue: { readonly lines: readonly string[]; readonly after: () => void }[] = [];
  #removing: Promise<void> | undefined;
  #soon: NodeJS.Timeout | undefined;

  constructor(names: KernelNames) {
    this.#names = names;
  }

  newEndpointId(): string {
    for (;;) {
      const id = randomId();
      if (this.adoptEndpoint(id)) return id;
    }
  }

  /** False when the id's interface name is taken. */
  adoptEndpoint(endpointId: string): boolean {
    const veth = this.#names.veth(endpointId);
    if (this.#veths.has(veth)) return false;
    this.#veths.add(veth);
    return true;
  }

  pathOf(sandboxId: string): string {
    return join(namespaceDirectory, this.#names.namespace(sandboxId));
  }

  /** On failure nothing of any of them remains. */
  async build(sandboxes: readonly Sandbox[], signal?: AbortSignal): Promise<void> {
    const plans = sandboxes.map((sandbox) => this.#plan(sandbox));
    const abort = signal === undefined ? {} : { signal };
    try {
      await ip(
        plans.flatMap(({ namespace, links }) => [`netns add ${namespace}`, ...links.flatMap(vethLines)]),
        abort,
      );
      await Promise.all(
        plans.map(async ({ namespace, links }) => {
          prepareNamespace(namespace, links);
          await ip(insideLines(links), { namespace, ...abort });
        }),
      );
    } catch (error) {
      for (const { sandboxId, endpoints } of sandboxes) {
        this.remove(
          this.pathOf(sandboxId),
          endpoints.map(({ endpointId }) => endpointId),
        );
      }
      await this.idle();
      throw error;
    }
  }

  /** One more interface for a namespace in use. On failure its parts are for `remove`. */
  async add(
    path: string,
    endpoint: SandboxEndpoint,
    { device, isGateway }: { readonly device: string; readonly isGateway: boolean },
  ): Promise<void> {
    const namespace = basename(path);
    const link = this.#link(namespace, endpoint, { device, isGateway });
    await ip(vethLines(link));
    prepareNamespace(namespace, [link]);
    await ip(insideLines([link]), { namespace });
  }

  /** Changes a namespace's default route. */
  async routeBy(
    path: string,
    { gateway, device }: { readonly gateway: string; readonly device: string },
  ): Promise<void> {
    await ip([`route replace default via ${gateway} dev ${device}`], { namespace: basename(path) });
  }

  /** Removes in the background, several at once; `after` runs when it is gone. Missing parts are no error. */
  remove(path: string, endpointIds: readonly string[], after: () => void = () => undefined): void {
    const namespace = basename(path);
    const lines = endpointIds.map((id) => `link del dev ${this.#names.veth(id)}`);
    if (this.#names.ownsNamespace(namespace)) lines.push(`netns del ${namespace}`);
    this.#queue.push({
      lines,
      after: () => {
        for (const id of endpointIds) this.#veths.delete(this.#names.veth(id));
        after();
      },
    });
    this.#soon ??= setTimeout(() => {
      // What could not be removed is left for the next time.
      this.idle().catch(() => undefined);
    }, gatherMs);
  }

  /** Resolves when everything given to `remove` is gone. Rejects if the kernel's tool could not run. */
  async idle(): Promise<void> {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    if (this.#queue.length > 0) this.#removing ??= this.#drain();
    await this.#removing;
  }

  async #drain(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        const batch = [...this.#queue];
        await ipForce(batch.flatMap(({ lines }) => lines));
        this.#queue.splice(0, batch.length);
        for (const { after } of batch) after();
      }
    } finally {
      this.#removing = undefined;
    }
  }

  #plan(sandbox: Sandbox): { namespace: string; links: EndpointLink[] } {
    const { sandboxId, endpoints } = sandbox;
    const namespace = this.#names.namespace(sandboxId);
    const way = gatewayOf(sandbox);
    const taken = new Set(endpoints.flatMap(({ device }) => device ?? []));
    const links = endpoints.map((endpoint) => {
      const device = endpoint.device ?? freeDevice(endpoint, taken);
      taken.add(device);
      return this.#link(namespace, endpoint, { device, isGateway: endpoint === way });
    });
    return { namespace, links };
  }

  #link(
    namespace: string,
    { gateway, ...endpoint }: SandboxEndpoint,
    { device, isGateway }: { readonly device: string; readonly isGateway: boolean },
  ): EndpointLink {
    return {
      ...endpoint,
      namespace,
      veth: this.#names.veth(endpoint.endpointId),
      device,
      ...(isGateway ? { gateway } : {}),
    };
  }
}
