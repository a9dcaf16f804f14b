import type { BuildCacheRecord, DiskUsage } from '../api/index.ts';
import type { Builder, CacheUsage } from '../build/index.ts';
import type { Containers } from '../container/index.ts';
import type { Images } from '../image/index.ts';
import type { Volumes } from '../volume/index.ts';

export interface DiskUsageParts {
  readonly containers: Containers;
  readonly images: Images;
  readonly volumes: Volumes;
  readonly builder: Builder;
}

const noFilters = new Map<string, readonly string[]>();

/**
 * `GET /system/df`. Images and build cache come from rows; writable layers and volumes, which change without our
 * knowing, are measured, or were a short time ago (lib/measurements.ts).
 */
export async function readDiskUsage(
  { containers, images, volumes, builder }: DiskUsageParts,
  types: readonly string[],
  signal?: AbortSignal,
): Promise<DiskUsage> {
  const wants = (type: string) => types.length === 0 || types.includes(type);
  const ofContainers = async () => containers.list({ all: true, size: 'recent', filters: noFilters });
  const [containerList, volumeList] = await Promise.all([
    wants('container') ? ofContainers() : null,
    wants('volume') ? volumes.usage(signal) : null,
  ]);
  const imageUsage = () => ({
    LayersSize: images.space().layersSize,
    Images: images.list({ all: false, sharedSize: true, filters: noFilters }),
  });
  return {
    ...(wants('image') ? imageUsage() : { LayersSize: 0, Images: null }),
    Containers: containerList,
    Volumes: volumeList,
    BuildCache: wants('build-cache') ? builder.usage().map(cacheRecord) : null,
  };
}

function cacheRecord(record: CacheUsage): BuildCacheRecord {
  return {
    ID: record.id,
    Parents: record.parents.length === 0 ? null : record.parents,
    Type: 'regular',
    Description: record.description,
    InUse: record.inUse,
    Shared: record.shared,
    Size: record.size,
    CreatedAt: new Date(record.createdAtMs).toISOString(),
    LastUsedAt: new Date(record.lastUsedAtMs).toISOString(),
    UsageCount: record.useCount,
  };
}
