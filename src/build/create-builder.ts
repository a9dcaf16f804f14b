import { mkdir } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { EngineError } from '../errors/index.ts';
import type { Images, Transfers } from '../image/index.ts';
import type { HttpGet } from '../lib/http-get.ts';
import { shortId } from '../lib/ids.ts';
import { Slots } from '../lib/slots.ts';
import type { Metadata } from '../metadata/index.ts';
import { familiarString, type ImageId, parseReference, withDefaultTag } from '../oci/index.ts';
import type { Builder, BuildListener, BuildRequest, PruneCacheOptions, StepRunner } from './builder.ts';
import { type BuildCache, openBuildCache } from './cache/build-cache.ts';
import { cacheUsage } from './cache/cache-usage.ts';
import { chooseRecords, forgetRecords } from './cache/prune-cache.ts';
import { openContext } from './context/context-tree.ts';
import { spoolArchive } from './context/spool.ts';
import { parseDockerfile } from './parser/parse.ts';
import { predefinedArgs, unusedArgs } from './plan/build-args.ts';
import { planBuild } from './plan/plan.ts';
import { QuietListener } from './quiet-listener.ts';
import { baseImages } from './solve/base-images.ts';
import type { BuildContext } from './solve/build-context.ts';
import { cacheImages } from './solve/cache-sources.ts';
import { solve } from './solve/solve.ts';
import type { LayerStores } from './solve/store-layer.ts';

export interface BuilderDependencies {
  /** The engine's root: contexts are spooled below it. */
  readonly root: string;
  readonly metadata: Metadata;
  readonly stores: LayerStores & { readonly images: Images };
  readonly steps: StepRunner;
  readonly httpGet: HttpGet;
  /** Default: opened on `metadata`. */
  readonly cache?: BuildCache;
  /** Brings the images that builds start from; without it they have to be there. */
  readonly transfers?: Transfers;
}

export function createBuilder(dependencies: BuilderDependencies): Builder {
  const { cache = openBuildCache(dependencies.metadata) } = dependencies;
  const { images } = dependencies.stores;
  const choose = (options: PruneCacheOptions) =>
    chooseRecords(cache, { images, live: cache.live() }, options);
  const parts = { ...dependencies, cache, slots: new Slots(availableParallelism()) };
  const closing = new AbortController();
  const running = new Set<Promise<ImageId>>();
  return {
    build: async (request, listener, signal) => {
      const tags = request.tags.map(checkedTag);
      const job = { request, tags, listener, signal: AbortSignal.any([signal, closing.signal]) };
      const building = request.quiet ? buildQuietly(parts, job) : build(parts, job);
      running.add(building);
      try {
        return await building;
      } finally {
        running.delete(building);
      }
    },
    prune: async (options) => forgetRecords(cache, images, choose(options)),
    prunable: (options) => choose(options),
    forget: async (ids) => {
      const records = cacheUsage(cache.list(), images, cache.live()).filter(({ id }) => ids.includes(id));
      return forgetRecords(cache, images, records);
    },
    usage: () => cacheUsage(cache.list(), images, cache.live()),
    [Symbol.asyncDispose]: async () => {
      closing.abort(new EngineError('cancelled', 'the engine is shutting down'));
      await Promise.allSettled(running);
    },
  };
}

/** Tells only the id, or all that was said when it fails. */
async function buildQuietly(parts: Parts, job: Job): Promise<ImageId> {
  const listener = new QuietListener();
  try {
    const id = await build(parts, { ...job, listener });
    job.listener.tell({ stream: `${id}\n` });
    return id;
  } catch (error) {
    listener.tellAll(job.listener);
    throw error;
  }
}

interface Parts extends BuilderDependencies {
  readonly cache: BuildCache;
  readonly slots: Slots;
}

interface Job {
  readonly request: BuildRequest;
  readonly tags: readonly string[];
  readonly listener: BuildListener;
  readonly signal: AbortSignal;
}

async function build(parts: Parts, { request, tags, listener, signal }: Job): Promise<ImageId> {
  const temporary = join(parts.root, 'build');
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  using live = parts.cache.track();
  try {
    await using spool = await spoolArchive(request.context, temporary, signal);
    const { dockerfile, tree } = await openContext(spool, request.dockerfile || 'Dockerfile');
    const parsed = parseDockerfile(dockerfile);
    const plan = planBuild(parsed, request);
    using lease = parts.metadata.leases.acquire();
    const { images } = parts.stores;
    const epoch = request.buildArgs['SOURCE_DATE_EPOCH'];
    const cacheFrom = cacheImages(images, request.cacheFrom);
    for (const { id } of cacheFrom) live.images.add(id);
    const context: Omit<BuildContext, 'stage' | 'signal'> = {
      request,
      plan,
      scope: {
        escape: parsed.escape,
        buildArgs: request.buildArgs,
        globalValues: plan.globalValues,
        predefined: predefinedArgs(request.buildArgs),
      },
      declaredArgs: new Set(plan.declaredArgs),
      tree,
      images,
      stores: parts.stores,
      steps: parts.steps,
      resolveImage: baseImages({ images, transfers: parts.transfers, request, live: live.images }),
      cache: parts.cache,
      cacheFrom,
      usedKeys: new Set(),
      liveImages: live.images,
      lease,
      slots: parts.slots,
      httpGet: parts.httpGet,
      temporary,
      ...(epoch !== undefined && epoch !== null && /^\d+$/.test(epoch)
        ? { epochMs: Number(epoch) * 1000 }
        : {}),
    };
    const { image } = await solve(context, listener, signal);
    parts.cache.touch([...context.usedKeys]);
    if (image === undefined) {
      throw new EngineError('invalidArgument', 'No image was generated. Is your Dockerfile empty?');
    }
    parts.cache.markResult(image.id);
    const unused = unusedArgs(request.buildArgs, context.declaredArgs);
    if (unused.length > 0) {
      listener.tell({ stream: `[Warning] One or more build-args [${unused.join(' ')}] were not consumed\n` });
    }
    listener.tell({ stream: `Successfully built ${shortId(image.id)}\n` });
    for (const tag of tags) {
      images.tag(image.id, tag);
      listener.tell({ stream: `Successfully tagged ${tag}\n` });
    }
    return image.id;
  } catch (error) {
    // The steps that were done are images; what the others left is not.
    await parts.stores.images.collectGarbage();
    throw error;
  }
}

function checkedTag(text: string): string {
  const reference = parseReference(text);
  if (reference.digest !== undefined) {
    throw new EngineError('invalidArgument', 'build tag cannot contain a digest');
  }
  return familiarString(withDefaultTag(reference));
}
