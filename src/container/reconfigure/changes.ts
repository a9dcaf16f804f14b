import type { PortBinding, PortMap, ReconfigureChange } from '../../api/index.ts';
import { mountTable, type Wishes } from './settings.ts';

/** What differs between two ways of asking for a container, ports first. */
export function changesOf(before: Wishes, after: Wishes): ReconfigureChange[] {
  const mounts = [mountTable(before), mountTable(after)] as const;
  const textsOf = (wishes: (typeof mounts)[number]) => mapValues(wishes, ({ text }) => text);
  const identitiesOf = (wishes: (typeof mounts)[number]) => mapValues(wishes, ({ identity }) => identity);
  return [
    ...differences('port', portTable(before), portTable(after)),
    ...differences('env', envTable(before), envTable(after)),
    ...differences('mount', identitiesOf(mounts[0]), identitiesOf(mounts[1])).map((change) => ({
      ...change,
      Old: textsOf(mounts[0]).get(change.Name) ?? null,
      New: textsOf(mounts[1]).get(change.Name) ?? null,
    })),
    ...differences('label', labelTable(before), labelTable(after)),
  ];
}

/** Whether a change asks for another process: ports and labels are changed beside a running one. */
export function needsRestart(changes: readonly ReconfigureChange[]): boolean {
  return changes.some(({ Kind }) => Kind === 'env' || Kind === 'mount');
}

type Table = ReadonlyMap<string, string>;

function differences(Kind: ReconfigureChange['Kind'], before: Table, after: Table): ReconfigureChange[] {
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((Name) => {
    const Old = before.get(Name) ?? null;
    const New = after.get(Name) ?? null;
    return Old === New ? [] : [{ Kind, Name, Old, New }];
  });
}

function envTable({ config }: Wishes): Table {
  return new Map(
    config.Env.map((entry) => {
      const equals = entry.indexOf('=');
      return equals === -1 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
    }),
  );
}

function labelTable({ config }: Wishes): Table {
  return new Map(Object.entries(config.Labels));
}

function portTable({ hostConfig }: Wishes): Table {
  return new Map(
    Object.entries(hostConfig.PortBindings).map(([port, places]) => [port, placesText(places ?? [])]),
  );
}

function placesText(places: NonNullable<PortMap[string]>): string {
  return places.map(placeText).join(', ');
}

function placeText({ HostIp, HostPort }: PortBinding): string {
  const port = HostPort || 'any';
  if (!HostIp) return port;
  return HostIp.includes(':') ? `[${HostIp}]:${port}` : `${HostIp}:${port}`;
}

function mapValues<T>(map: ReadonlyMap<string, T>, text: (value: T) => string): Table {
  return new Map([...map].map(([key, value]) => [key, text(value)]));
}
