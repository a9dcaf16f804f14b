import { bridgeOptions } from './bridge-options.ts';
import { ownsLink } from './bridges.ts';
import type { Endpoints } from './endpoints.ts';
import { type KernelNames, listNamespaces, readHost } from './kernel.ts';
import { portLines } from './links.ts';
import type { RunningContainer } from './networks.ts';
import type { NetworkRecords } from './records.ts';

/** What an engine knows that may be in the kernel. */
export interface Known {
  readonly names: KernelNames;
  readonly records: NetworkRecords;
  readonly endpoints: Endpoints;
  readonly running: readonly RunningContainer[];
}

/** `ip` lines that remove namespaces and links of ours that neither a network nor a running container uses. */
export async function orphanLines({ names, records, endpoints, running }: Known): Promise<string[]> {
  const paths = new Set(running.map(({ connection }) => connection.namespacePath.split('/').at(-1)));
  const bridges = new Set(records.all().flatMap(({ bridge }) => bridge?.device ?? []));
  const veths = new Set(
    running.flatMap(({ containerId }) =>
      endpoints.of(containerId).map(({ endpointId }) => names.veth(endpointId)),
    ),
  );
  const [{ links }, namespaces] = await Promise.all([readHost(), listNamespaces()]);
  const deadLinks = links.filter(
    (link) => ownsLink(names, link) && !bridges.has(link.ifname) && !veths.has(link.ifname),
  );
  const deadSpaces = namespaces.filter((name) => names.ownsNamespace(name) && !paths.has(name));
  return [
    ...deadLinks.map(({ ifname }) => `link del dev ${ifname}`),
    ...deadSpaces.map((name) => `netns del ${name}`),
  ];
}

/** `ip` lines that plug running containers into their bridges: after one was made anew they hang in the air. */
export function pluggingLines({ names, records, endpoints, running }: Known): string[] {
  const up = new Map(records.up().map((record) => [record.id, record]));
  return running.flatMap(({ containerId }) =>
    endpoints.of(containerId).flatMap(({ networkId, endpointId }) => {
      const { bridge, options } = up.get(networkId) ?? {};
      if (bridge === undefined || options === undefined) return [];
      const isIsolated = !bridgeOptions(options).icc;
      return portLines({ veth: names.veth(endpointId), bridge: bridge.device, isIsolated });
    }),
  );
}
