import type { Filters, PruneItem } from '../../api/index.ts';
import type { Builder, CacheUsage } from '../../build/index.ts';
import type { Containers } from '../../container/index.ts';
import { isCode } from '../../errors/index.ts';
import type { Images } from '../../image/index.ts';
import { passesLabels, passesUntil } from '../../lib/object-filters.ts';
import type { Networks } from '../../network/index.ts';
import type { ImageId } from '../../oci/index.ts';
import type { Volumes } from '../../volume/index.ts';

export interface PruneSources {
  readonly containers: Containers;
  readonly images: Images;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly builder: Builder;
}

const noFilters: Filters = new Map();
/** Why an object of a plan was not removed, when somebody else did it. */
export const gone = 'it is gone already';
const anonymousLabel = 'com.docker.volume.anonymous';

/** Containers that do not run. */
export async function planContainers({ containers }: PruneSources, filters: Filters): Promise<PruneItem[]> {
  const all = await containers.list({ all: true, size: true, filters: noFilters });
  const idle = all.filter(
    ({ State, Labels, Created }) =>
      ['created', 'exited', 'dead'].includes(State) &&
      passesLabels(Labels, filters) &&
      passesUntil(Created * 1000, filters),
  );
  const items = idle.map(async ({ Id, Names, SizeRw = 0, Status }): Promise<PruneItem[]> => {
    const mark = await runOf(containers, Id);
    if (mark === undefined) return [];
    const names = Names.map((name) => name.replace(/^\//, ''));
    const reason = `it does not run: ${Status}`;
    return [{ ...itemOf('container', Id, names), Bytes: SizeRw, Reason: reason, Mark: mark }];
  });
  return (await Promise.all(items)).flat();
}

/** Removes a container in the state of the plan; else says why not. */
export async function removeContainer(
  { containers }: PruneSources,
  item: PruneItem,
): Promise<string | undefined> {
  const mark = await runOf(containers, item.ID);
  if (mark === undefined) return gone;
  if (mark !== item.Mark) return 'it was started since';
  await containers.remove(item.ID, { force: false, volumes: false });
  return undefined;
}

/** Which run of a container was its last one; `undefined` when it is gone. */
async function runOf(containers: Containers, id: string): Promise<string | undefined> {
  try {
    const { State } = await containers.inspect(id, { size: false });
    return `${State.Running ? 'running ' : ''}${State.StartedAt} ${State.FinishedAt}`;
  } catch (error) {
    if (isCode(error, 'notFound')) return undefined;
    throw error;
  }
}

/** Networks of people's own that no running container is on. */
export function planNetworks({ networks }: PruneSources, filters: Filters): PruneItem[] {
  const unused = new Map([...filters, ['dangling', ['true']], ['type', ['custom']]] as const);
  return networks.list(unused).map(({ Id, Name, Created }) => ({
    ...itemOf('network', Id, [Name]),
    Bytes: 0,
    Reason: 'no container is connected to it',
    Mark: Created,
  }));
}

/** Volumes that no container refers to, but for those that go before. */
export async function planVolumes(
  { containers, volumes }: PruneSources,
  filters: Filters,
  choice: { readonly named: boolean; readonly goneContainers: ReadonlySet<string> },
): Promise<PruneItem[]> {
  const list = await containers.list({ all: true, size: false, filters: noFilters });
  const used = new Set(
    list.flatMap(({ Id, Mounts }) =>
      choice.goneContainers.has(Id) ? [] : Mounts.flatMap(({ Name }) => Name ?? []),
    ),
  );
  const all = await volumes.usage();
  return all.flatMap(({ Name, Labels, CreatedAt, UsageData }) => {
    const anonymous = Object.hasOwn(Labels ?? {}, anonymousLabel);
    if (used.has(Name) || !(anonymous || choice.named) || !passesLabels(Labels ?? {}, filters)) return [];
    return [
      {
        ...itemOf('volume', Name, []),
        Bytes: UsageData?.Size ?? 0,
        Reason: `${anonymous ? 'an anonymous volume' : 'a volume'} no container refers to`,
        Mark: CreatedAt,
      },
    ];
  });
}

export async function removeVolume({ volumes }: PruneSources, item: PruneItem): Promise<string | undefined> {
  if (volumes.inspect(item.ID).CreatedAt !== item.Mark) return 'it is another volume of that name now';
  await volumes.remove(item.ID, { force: false });
  return undefined;
}

/** Cache records, and with each the bytes its image frees. */
export function cacheItem(record: CacheUsage, bytes: number): PruneItem {
  return {
    ...itemOf('build-cache', record.id, [record.description]),
    Bytes: bytes,
    Reason: record.shared ? 'a step whose layer an image shares' : 'only the build cache keeps it',
    Mark: markOf(record),
  };
}

export function imageItem(
  image: { readonly id: ImageId; readonly names: readonly string[]; readonly reason: string },
  bytes: number,
): PruneItem {
  return { ...itemOf('image', image.id, image.names), Bytes: bytes, Reason: image.reason, Mark: '' };
}

/** Forgets the records that no build used since; the others are left with the reason. */
export async function forgetRecords(
  { builder }: PruneSources,
  items: readonly PruneItem[],
): Promise<{ readonly left: ReadonlyMap<string, string>; readonly bytes: number }> {
  const left = new Map<string, string>();
  const now = new Map(builder.usage().map((record) => [record.id, record]));
  for (const { ID, Mark } of items) {
    const record = now.get(ID);
    if (record === undefined) left.set(ID, gone);
    else if (record.inUse) left.set(ID, 'a running build uses it');
    else if (Mark !== markOf(record) && Mark !== markOf({ ...record, shared: true })) {
      left.set(ID, 'a build used it since, or an image shares it now');
    }
  }
  const ids = items.flatMap(({ ID }) => (left.has(ID) ? [] : [ID]));
  const bytes = ids.length === 0 ? 0 : (await builder.forget(ids)).SpaceReclaimed;
  return { left, bytes };
}

function markOf({ useCount, shared }: Pick<CacheUsage, 'useCount' | 'shared'>): string {
  return `${useCount} ${shared ? 'shared' : 'private'}`;
}

function itemOf(Kind: PruneItem['Kind'], ID: string, Names: readonly string[]) {
  return { Kind, ID, Names } as const;
}
