import { readRegistryConfig } from './config/read-config.ts';
import { type CollectionReport, collectGarbage, type Removal } from './gc/collect.ts';
import { openLocalStorage } from './storage/index.ts';

export interface CollectCommandOptions {
  readonly root: string;
  readonly config?: string;
  readonly dryRun: boolean;
  /** Overrides the configuration's time guard. */
  readonly graceMs?: number;
  /** Overrides the configuration's age of untagged manifests. */
  readonly untaggedMs?: number;
  readonly onRemoval: (removal: Removal) => void;
}

/** Collects the garbage of a registry's directory, whether it is served at the time or not. */
export async function collectRegistry(options: CollectCommandOptions): Promise<CollectionReport | undefined> {
  const { gc } = await readRegistryConfig(options.config);
  await using storage = await openLocalStorage({ root: options.root });
  const config = {
    ...gc,
    ...(options.graceMs === undefined ? {} : { graceMs: options.graceMs }),
    ...(options.untaggedMs === undefined ? {} : { untaggedMs: options.untaggedMs }),
  };
  return await collectGarbage(storage, { config, dryRun: options.dryRun, onRemoval: options.onRemoval });
}
