import type { ContainerCreateRequest } from '../api/index.ts';
import { isCode } from '../errors/index.ts';
import { applyChanges, type Images } from '../image/index.ts';
import type { ImageId, RunConfig } from '../oci/index.ts';
import type { OciRuntime } from '../runtime/index.ts';
import type { Container } from './record.ts';
import type { ContainerStore } from './store.ts';

export interface CommitOptions {
  readonly reference?: string;
  readonly comment?: string;
  readonly author?: string;
  readonly pause: boolean;
  readonly changes: readonly string[];
  readonly config?: ContainerCreateRequest;
}

export interface CommitDeps {
  readonly store: ContainerStore;
  readonly images: Images;
  readonly runtime: OciRuntime;
}

/** Makes an image of a container's changes; a running one is frozen meanwhile unless told otherwise. */
export async function commitContainer(
  { record, state }: Container,
  options: CommitOptions,
  { store, images, runtime }: CommitDeps,
): Promise<{ readonly Id: ImageId }> {
  const { id } = record;
  const freezes = options.pause && state.running && !state.paused;
  // The row first: a start of the engine thaws what a commit that was cut off left frozen.
  if (freezes) store.transition(id, (before) => ({ ...before, committing: true }));
  const frozen = freezes && (await whileRunning(() => runtime.pause(id)));
  try {
    const image = await images.commit({
      containerId: id,
      snapshotKey: id,
      base: record.imageId,
      config: applyChanges(runConfigOf({ record, state }, options.config), options.changes),
      ...(options.author === undefined ? {} : { author: options.author }),
      ...(options.comment === undefined ? {} : { comment: options.comment }),
      ...(options.reference === undefined ? {} : { reference: options.reference }),
    });
    const current = store.get(id);
    if (current !== undefined)
      store.note(current, { action: 'commit', attributes: { comment: options.comment ?? '' } });
    return { Id: image.id };
  } finally {
    if (frozen) await whileRunning(() => runtime.resume(id));
    if (freezes && store.get(id) !== undefined)
      store.transition(id, ({ committing: _done, ...rest }) => rest);
  }
}

/** The part of a container's settings that an image can carry. */
function runConfigOf({ record }: Container, override: ContainerCreateRequest | undefined): RunConfig {
  const config = { ...record.config, ...override };
  return {
    User: config.User,
    Env: config.Env,
    Cmd: config.Cmd,
    Entrypoint: config.Entrypoint,
    WorkingDir: config.WorkingDir,
    Labels: config.Labels,
    ...(config.ExposedPorts === undefined ? {} : { ExposedPorts: config.ExposedPorts }),
    ...(config.Volumes === null ? {} : { Volumes: config.Volumes }),
    ...(config.StopSignal === undefined ? {} : { StopSignal: config.StopSignal }),
    ...(config.Healthcheck === undefined ? {} : { Healthcheck: config.Healthcheck }),
    ...(config.Shell === undefined ? {} : { Shell: config.Shell }),
    ...(config.OnBuild === undefined ? {} : { OnBuild: config.OnBuild }),
  };
}

/** False when the container has ended meanwhile: then there is nothing to freeze. */
async function whileRunning(action: () => Promise<void>): Promise<boolean> {
  try {
    await action();
    return true;
  } catch (error) {
    if (isCode(error, 'conflict') || isCode(error, 'notFound')) return false;
    throw error;
  }
}
