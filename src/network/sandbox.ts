import { basename, join } from 'node:path';
import { randomId } from '../lib/ids.ts';
import { ip, ipForce, type KernelNames, namespaceDirectory, prepareNamespace } from './kernel.ts';
import { type EndpointLink, insideLines, vethLines } from './links.ts';

/** One interface of a container to be. */
export interface SandboxEndpoint {
  readonly networkId: string;
  readonly endpointId: string;
  readonly bridge: string;
  readonly mtu: number;
  readonly mac: string;
  readonly address: string;
  readonly prefix: number;
  readonly gateway: string;
}

/** A network namespace with its interfaces; the first one's gateway is the default route. */
export interface Sandbox {
  readonly sandboxId: string;
  readonly endpoints: readonly SandboxEndpoint[];
}

/** Makes and removes network namespaces, several with one program call. */
export class Sandboxes {
  readonly #names: KernelNames;
  /** Host interface names carry four digits of an endpoint's id: no two that live may share them. */
  readonly #veths = new Set<string>();
  #queue: { readonly lines: readonly string[]; readonly after: () => void }[] = [];
  #removing: Promise<void> | undefined;

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
          prepareNamespace(
            namespace,
            links.map(({ device }) => device),
          );
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
    this.#removing ??= this.#drain();
  }

  /** Resolves when everything given to `remove` is gone. Rejects if the kernel's tool could not run. */
  async idle(): Promise<void> {
    await this.#removing;
  }

  async #drain(): Promise<void> {
    try {
      // One turn later, so that what is removed together goes in one call.
      await new Promise(setImmediate);
      while (this.#queue.length > 0) {
        const batch = this.#queue;
        this.#queue = [];
        await ipForce(batch.flatMap(({ lines }) => lines));
        for (const { after } of batch) after();
      }
    } finally {
      this.#removing = undefined;
    }
  }

  #plan({ sandboxId, endpoints }: Sandbox): { namespace: string; links: EndpointLink[] } {
    const namespace = this.#names.namespace(sandboxId);
    const links = endpoints.map(({ endpointId, bridge, mac, mtu, address, prefix, gateway }, index) => ({
      namespace,
      veth: this.#names.veth(endpointId),
      device: `eth${index}`,
      bridge,
      mac,
      mtu,
      address,
      prefix,
      ...(index === 0 && gateway !== '' ? { gateway } : {}),
    }));
    return { namespace, links };
  }
}
