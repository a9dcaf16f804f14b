import type { DiskUsage, EventMessage, Filters, ImageDiff } from '../api/index.ts';
import type { Builder } from '../build/index.ts';
import type { EngineConfig } from '../config/index.ts';
import type { Containers } from '../container/index.ts';
import type { Images, Transfers } from '../image/index.ts';
import type { HttpGet } from '../lib/http-get.ts';
import type { Journal } from '../metadata/index.ts';
import type { Networks } from '../network/index.ts';
import type { RegistryClient } from '../registry/index.ts';
import type { Volumes } from '../volume/index.ts';
import type { CheckStore } from './check-store.ts';
import type { PrunePlans } from './prune/prune-plans.ts';

export interface EventQuery {
  readonly sinceNano?: bigint;
  /** A time that has passed ends the stream after the stored events. */
  readonly untilNano?: bigint;
  readonly filters: Filters;
}

/** What the engine knows of itself and its host: `/info`, `/version`, `/system/df`. */
export interface System {
  info(): Promise<object>;
  version(): Promise<object>;
  /** `types` limits the answer to some of container, image, volume, build-cache. */
  diskUsage(types: readonly string[], signal?: AbortSignal): Promise<DiskUsage>;
  /** Stored events since the given time, then live ones, until `untilNano` or the signal. */
  events(query: EventQuery, signal: AbortSignal): AsyncIterable<EventMessage>;
}

/** What the engine tells of its store beyond Docker's API: the routes under `/gantry/`. */
export interface Store {
  /** What differs between two images or containers. */
  diff(names: { readonly from: string; readonly to: string }, signal?: AbortSignal): Promise<ImageDiff>;
  readonly prunePlans: PrunePlans;
  /** Verifies the whole store; throws `conflict` while it is at it already. */
  readonly check: CheckStore;
}

/** A running engine: what the HTTP server serves and an embedding process calls. Disposing it shuts it down. */
export interface Engine extends AsyncDisposable {
  readonly config: EngineConfig;
  readonly containers: Containers;
  readonly images: Images;
  readonly transfers: Transfers;
  readonly registry: RegistryClient;
  /** Downloads, through the engine's proxies. */
  readonly httpGet: HttpGet;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly builder: Builder;
  readonly system: System;
  readonly store: Store;
  readonly journal: Journal;
}
