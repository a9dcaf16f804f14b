import type { ContainerPort, ContainerSummary } from '../../api/index.ts';
import type { Listing, Row } from '../output/listing.ts';
import { ellipsis, goTime, humanSize, shortId, timeAgo } from '../output/units.ts';

/** The list of `ps` for templates and tables. */
export function containerListing(
  containers: readonly ContainerSummary[],
  options: { readonly trunc: boolean; readonly size: boolean; readonly now?: number },
): Listing {
  const size = options.size ? '\t{{.Size}}' : '';
  return {
    headings: {
      ID: 'CONTAINER ID',
      Names: 'NAMES',
      Image: 'IMAGE',
      Command: 'COMMAND',
      CreatedAt: 'CREATED AT',
      RunningFor: 'CREATED',
      Ports: 'PORTS',
      State: 'STATE',
      Status: 'STATUS',
      Size: 'SIZE',
      Labels: 'LABELS',
      Mounts: 'MOUNTS',
      LocalVolumes: 'LOCAL VOLUMES',
      Networks: 'NETWORKS',
      Platform: 'PLATFORM',
    },
    table: `{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}${size}`,
    quiet: '{{.ID}}',
    rows: containers.map((container) => containerRow(container, options)),
  };
}

function containerRow(
  container: ContainerSummary,
  options: { readonly trunc: boolean; readonly size: boolean; readonly now?: number },
): Row {
  const { trunc } = options;
  const labels = container.Labels ?? {};
  const command = trunc ? ellipsis(container.Command, 20) : container.Command;
  const names = container.Names.map((name) => name.replace(/^\//, ''));
  return {
    ID: trunc ? shortId(container.Id) : container.Id,
    // Names of links ("other/alias") only without truncation.
    Names: (trunc ? names.filter((name) => !name.includes('/')) : names).join(','),
    Image: imageName(container, trunc),
    Command: JSON.stringify(command),
    CreatedAt: goTime(container.Created * 1000),
    RunningFor: timeAgo(container.Created * 1000, options.now),
    Ports: portsText(container.Ports ?? []),
    State: container.State,
    Status: container.Status,
    Size: sizeText(container),
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .sort()
      .join(','),
    Label: (name: string) => labels[name] ?? '',
    Mounts: (container.Mounts ?? [])
      .map((mount) => mount.Name ?? mount.Source)
      .map((name) => (trunc ? ellipsis(name, 15) : name))
      .join(','),
    LocalVolumes: String((container.Mounts ?? []).filter((mount) => mount.Driver === 'local').length),
    Networks: Object.keys(container.NetworkSettings?.Networks ?? {})
      .sort()
      .join(','),
    Platform: '',
  };
}

function imageName(container: ContainerSummary, trunc: boolean): string {
  if (container.Image === '') return '<no image>';
  if (trunc && container.Image === container.ImageID) return shortId(container.ImageID);
  return trunc ? container.Image.replace(/^sha256:([0-9a-f]{12})[0-9a-f]*$/, '$1') : container.Image;
}

function sizeText({ SizeRw = 0, SizeRootFs = 0 }: ContainerSummary): string {
  const own = humanSize(SizeRw, 3);
  return SizeRootFs > 0 ? `${own} (virtual ${humanSize(SizeRootFs, 3)})` : own;
}

interface PortGroup {
  first: number;
  last: number;
}

/** `0.0.0.0:8080->80/tcp, 90-91/tcp`: ports sorted, neighbours as a range. */
export function portsText(ports: readonly ContainerPort[]): string {
  const groups = new Map<string, PortGroup>();
  const singles: string[] = [];
  const texts: string[] = [];
  const sorted = [...ports].sort(
    (a, b) =>
      a.PrivatePort - b.PrivatePort ||
      compareText(a.IP ?? '', b.IP ?? '') ||
      (a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
      compareText(a.Type, b.Type),
  );
  for (const port of sorted) {
    const address =
      port.IP === undefined || port.IP === '' ? '' : port.IP.includes(':') ? `[${port.IP}]` : port.IP;
    if (address !== '' && port.PublicPort !== port.PrivatePort) {
      singles.push(`${address}:${port.PublicPort ?? 0}->${port.PrivatePort}/${port.Type}`);
      continue;
    }
    const key = `${address}/${port.Type}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { first: port.PrivatePort, last: port.PrivatePort });
    else if (port.PrivatePort === group.last + 1) group.last = port.PrivatePort;
    else if (port.PrivatePort !== group.last) {
      texts.push(groupText(key, group));
      groups.set(key, { first: port.PrivatePort, last: port.PrivatePort });
    }
  }
  for (const [key, group] of groups) texts.push(groupText(key, group));
  return [...texts, ...singles].join(', ');
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function groupText(key: string, { first, last }: PortGroup): string {
  const slash = key.lastIndexOf('/');
  const address = key.slice(0, slash);
  const range = first === last ? String(first) : `${first}-${last}`;
  return address === '' ? `${range}${key.slice(slash)}` : `${address}:${range}->${range}${key.slice(slash)}`;
}
