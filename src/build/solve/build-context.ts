import type { ProgressMessage } from '../../api/index.ts';
import type { Image, Images } from '../../image/index.ts';
import type { HttpGet } from '../../lib/http-get.ts';
import type { Slots } from '../../lib/slots.ts';
import type { Lease } from '../../metadata/index.ts';
import type { ImageId, Platform } from '../../oci/index.ts';
import type { BuildRequest, StepRunner } from '../builder.ts';
import type { BuildCache } from '../cache/build-cache.ts';
import type { SourceTree } from '../context/source-tree.ts';
import type { Scope } from '../plan/apply-instruction.ts';
import type { BuildPlan } from '../plan/plan.ts';
import type { StageState } from '../plan/stage-state.ts';
import type { Section } from './progress.ts';
import type { LayerStores } from './store-layer.ts';

/** Finds the image that FROM or COPY --from names, pulling it if it has to. */
export type ResolveImage = (
  reference: string,
  options: {
    readonly platform?: Platform;
    /** Hears of a pull. */
    readonly tell: (message: ProgressMessage) => void;
    readonly signal: AbortSignal;
  },
) => Promise<Image>;

/** What a stage has become. `image` is `undefined` for `FROM scratch` alone. */
export interface StageResult {
  readonly image: Image | undefined;
  readonly state: StageState;
}

/** All that the stages of one build share. */
export interface BuildContext {
  readonly request: BuildRequest;
  readonly plan: BuildPlan;
  readonly scope: Scope;
  /** ARG names of the file, and of the triggers met so far. */
  readonly declaredArgs: Set<string>;
  /** The files the client sent. */
  readonly tree: SourceTree;
  readonly images: Images;
  readonly stores: LayerStores;
  readonly steps: StepRunner;
  readonly resolveImage: ResolveImage;
  readonly cache: BuildCache;
  /** Keys of the records this build used. */
  readonly usedKeys: Set<string>;
  /** Images whose steps may be taken. */
  readonly cacheFrom: readonly Image[];
  /** Images of the steps so far, of bases and sources: nothing removes them. */
  readonly liveImages: Set<ImageId>;
  readonly lease: Lease;
  /** For packing and hashing layers, which is work of this process; a command may take as long as it wants. */
  readonly slots: Slots;
  readonly signal: AbortSignal;
  readonly httpGet: HttpGet;
  /** Directory for what is downloaded. */
  readonly temporary: string;
  /** SOURCE_DATE_EPOCH in milliseconds, if given. */
  readonly epochMs?: number;
  /** The result of another stage; it runs once. One that was not planned to run is heard as a part of the asker. */
  readonly stage: (index: number, asker: Section) => Promise<StageResult>;
}

/** The time that new images and directories get. */
export function nowMs(context: BuildContext): number {
  return context.epochMs ?? Date.now();
}
