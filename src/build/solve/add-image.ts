import type { Image } from '../../image/index.ts';
import { type HistoryEntry, type ImageConfig, type Platform } from '../../oci/index.ts';
import type { StageState } from '../plan/stage-state.ts';
import { type BuildContext, nowMs } from './build-context.ts';
import type { NewLayer } from './store-layer.ts';

export interface NewStepImage {
  /** The image the step ran on. */
  readonly parent: Image | undefined;
  readonly state: StageState;
  /** How history tells the step. */
  readonly createdBy: string;
  readonly layer?: Pick<NewLayer, 'layer' | 'diffId'>;
  /** How the history of another image tells the step, if that went through it before. */
  readonly entry?: HistoryEntry;
  /** Of an image without parent. */
  readonly platform: Platform;
}

/** Makes the image that a step gives. */
export async function addStepImage(context: BuildContext, step: NewStepImage): Promise<Image> {
  const { parent, state, layer } = step;
  const created = step.entry?.created ?? new Date(nowMs(context)).toISOString();
  const { os, architecture, variant } = parent?.config ?? step.platform;
  const { author } = state;
  const entry: HistoryEntry = step.entry ?? {
    created,
    created_by: step.createdBy,
    ...(author === undefined ? {} : { author }),
    ...(layer === undefined ? { empty_layer: true } : {}),
  };
  const config: ImageConfig = {
    created,
    ...(author === undefined ? {} : { author }),
    architecture,
    os,
    ...(variant === undefined ? {} : { variant }),
    config: state.config,
    rootfs: {
      type: 'layers',
      diff_ids: [...(parent?.config.rootfs.diff_ids ?? []), ...(layer === undefined ? [] : [layer.diffId])],
    },
    history: [...(parent?.config.history ?? []), entry],
  };
  return context.images.add({
    config,
    layers: [
      ...(parent === undefined ? [] : context.images.layersOf(parent.id)),
      ...(layer === undefined ? [] : [layer.layer]),
    ],
    ...(parent === undefined ? {} : { parent: parent.id }),
  });
}
