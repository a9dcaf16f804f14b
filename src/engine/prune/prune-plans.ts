import type { Filters, PruneItem, PruneKind, PruneOutcome, PrunePlan } from '../../api/index.ts';
import { pruneKinds } from '../../api/index.ts';
import { EngineError, isCode, messageOf } from '../../errors/index.ts';
import { randomId } from '../../lib/ids.ts';
import { OnePrune } from '../../lib/one-prune.ts';
import type { Metadata } from '../../metadata/index.ts';
import type { ImageId } from '../../oci/index.ts';
import { openPlanRows } from './plan-rows.ts';
import {
  cacheItem,
  forgetRecords,
  gone,
  imageItem,
  type PruneSources,
  planContainers,
  planNetworks,
  planVolumes,
  removeContainer,
  removeVolume,
} from './sources.ts';
import { useSince } from './use-since.ts';

export interface PrunePlanRequest {
  readonly kinds: ReadonlySet<PruneKind>;
  /** All images no container uses, not only dangling ones; and shared records of the build cache. */
  readonly all: boolean;
  /** Named volumes too. */
  readonly namedVolumes: boolean;
  /** label, label!, until */
  readonly filters: Filters;
}

/** Pruning in two steps: a plan that lists every object, and its removal and no other. */
export interface PrunePlans {
  /** Removes nothing. The plan is kept, for `apply`, over restarts of the engine. */
  plan(request: PrunePlanRequest): Promise<PrunePlan>;
  /**
   * Removes what the plan lists, as far as it is still as it was and has not been used since; the rest is left and said.
   * A plan can be applied once. `notFound` for an unknown one, `conflict` while another prune of this kind runs.
   */
  apply(plan: string | PrunePlan): Promise<PruneOutcome>;
}

export function createPrunePlans(sources: PruneSources, metadata: Metadata): PrunePlans {
  const rows = openPlanRows(metadata);
  const onePrune = new OnePrune();
  return {
    plan: async (request) => {
      const Cursor = metadata.journal.last();
      const items = await planItems(sources, request);
      const plan: PrunePlan = {
        ID: randomId().slice(0, 12),
        CreatedAt: new Date().toISOString(),
        Cursor,
        Items: items,
        TotalBytes: items.reduce((sum, { Bytes }) => sum + Bytes, 0),
      };
      rows.put(plan);
      return plan;
    },
    apply: async (given) => {
      const plan = typeof given === 'string' ? rows.get(given) : given;
      return onePrune.run(async () => {
        rows.delete(plan.ID);
        return applyPlan(sources, plan, useSince(metadata.journal, plan.Cursor));
      });
    },
  };
}

async function planItems(sources: PruneSources, request: PrunePlanRequest): Promise<PruneItem[]> {
  const { images, builder } = sources;
  const { kinds, filters, all, namedVolumes: named } = request;
  if (kinds.has('volume') && filters.has('until')) {
    throw new EngineError('invalidArgument', 'The "until" filter is not supported with "--volumes"');
  }
  const containers = kinds.has('container') ? await planContainers(sources, filters) : [];
  const goneContainers = new Set(containers.map(({ ID }) => ID));
  const networks = kinds.has('network') ? planNetworks(sources, filters) : [];
  const volumes = kinds.has('volume') ? await planVolumes(sources, filters, { named, goneContainers }) : [];
  const records = kinds.has('build-cache') ? builder.prunable({ all, filters, keepBytes: 0 }) : [];
  const { cacheOnly } = images.space();
  const goneImages = new Set(records.map(({ image }) => image).filter((image) => cacheOnly.has(image)));
  const found = kinds.has('image') ? images.prunable({ all, filters, goneContainers, goneImages }) : [];
  const ids: readonly ImageId[] = [...goneImages, ...found.map(({ id }) => id)];
  const sizes = await images.reclaimable(ids, goneContainers);
  const bytesOf = new Map(ids.map((id, index) => [id, sizes[index] ?? 0]));
  return [
    ...containers,
    ...networks,
    ...volumes,
    ...records.map((record) => {
      const bytes = bytesOf.get(record.image) ?? 0;
      bytesOf.delete(record.image); // Two records of one image free it once.
      return cacheItem(record, bytes);
    }),
    ...found.map((image) => imageItem(image, bytesOf.get(image.id) ?? 0)),
  ];
}

async function applyPlan(
  sources: PruneSources,
  plan: PrunePlan,
  usedSince: (item: PruneItem) => string | undefined,
): Promise<PruneOutcome> {
  const why = new Map<PruneItem, string>();
  let bytes = 0;
  const remove = async (kind: PruneKind, action: (item: PruneItem) => Promise<string | undefined>) => {
    for (const item of plan.Items.filter(({ Kind }) => Kind === kind)) {
      const reason = usedSince(item) ?? (await attempt(() => action(item)));
      if (reason === undefined) bytes += kind === 'image' ? 0 : item.Bytes;
      else why.set(item, reason);
    }
  };
  await remove('container', (item) => removeContainer(sources, item));
  await remove('network', async ({ ID }) => {
    await sources.networks.remove(ID);
    return undefined;
  });
  await remove('volume', (item) => removeVolume(sources, item));
  const records = plan.Items.filter(({ Kind }) => Kind === 'build-cache');
  const forgotten = await forgetRecords(sources, records);
  for (const item of records) {
    const reason = forgotten.left.get(item.ID);
    if (reason !== undefined) why.set(item, reason);
  }
  await remove('image', async ({ ID, Names }) =>
    sources.images.removeAsPlanned({ id: ID as ImageId, names: Names }),
  );
  const freed = await sources.images.collectGarbage();
  return {
    PlanID: plan.ID,
    Removed: plan.Items.filter((item) => !why.has(item)),
    Left: [...why].map(([Item, Why]) => ({ Item, Why })),
    SpaceReclaimed: bytes + forgotten.bytes + freed,
  };
}

/** What stands in the way of one object is told, and is no reason to leave the others. */
async function attempt(action: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await action();
  } catch (error) {
    return isCode(error, 'notFound') ? gone : messageOf(error);
  }
}

/** A plan that a client sends back. Throws `invalidArgument` for what is none. */
export function parsePlan(value: Readonly<Record<string, unknown>>): PrunePlan {
  const { ID, CreatedAt, Cursor, Items, TotalBytes } = value as Partial<PrunePlan>;
  const isItem = (item: Partial<PruneItem> | null) =>
    typeof item?.ID === 'string' &&
    typeof item.Mark === 'string' &&
    typeof item.Reason === 'string' &&
    typeof item.Bytes === 'number' &&
    pruneKinds.some((kind) => kind === item.Kind) &&
    Array.isArray(item.Names) &&
    item.Names.every((name) => typeof name === 'string');
  if (typeof ID !== 'string' || typeof Cursor !== 'number' || !Array.isArray(Items) || !Items.every(isItem)) {
    throw new EngineError('invalidArgument', 'invalid prune plan');
  }
  return { ID, Cursor, Items, CreatedAt: CreatedAt ?? '', TotalBytes: TotalBytes ?? 0 };
}
