import type { ContainerConfig, ContainerCreateRequest } from '../api/index.ts';
import { applyChanges, type Images } from '../image/index.ts';
import {
  familiarString,
  type ImageId,
  parseReference,
  type RunConfig,
  withDefaultTag,
} from '../oci/index.ts';
import { mergeImageConfig } from './create/index.ts';
import type { Freezer } from './freezer.ts';
import type { Container, ContainerRecord } from './record.ts';
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
  readonly freezer: Freezer;
}

/** Makes an image of a container's changes; a running one is frozen meanwhile unless told otherwise. */
export async function commitContainer(
  { record }: Container,
  options: CommitOptions,
  { store, images, freezer }: CommitDeps,
): Promise<{ readonly Id: ImageId }> {
  const { id } = record;
  await using _frozen = options.pause ? await freezer.forCommit(id) : undefined;
  const image = await images.commit({
    containerId: id,
    snapshotKey: id,
    base: record.imageId,
    config: applyChanges(configOf(record, options.config), options.changes),
    ...(options.author === undefined ? {} : { author: options.author }),
    ...(options.comment === undefined ? {} : { comment: options.comment }),
    ...(options.reference === undefined ? {} : { reference: options.reference }),
  });
  const current = store.get(id);
  if (current !== undefined)
    store.note(current, { action: 'commit', attributes: attributesOf(options, image.id) });
  return { Id: image.id };
}

/** What a client sends with the commit, with the container's settings for what it leaves out. */
function configOf({ config }: ContainerRecord, sent: ContainerCreateRequest | undefined): RunConfig {
  const own = runConfigOf(config);
  return sent === undefined ? own : runConfigOf(mergeImageConfig(sent, own));
}

function attributesOf({ comment = '', reference }: CommitOptions, imageID: ImageId) {
  const imageRef = reference === undefined ? '' : familiarString(withDefaultTag(parseReference(reference)));
  return { comment, imageID, imageRef };
}

/** The part of a container's settings that an image can carry. */
function runConfigOf(config: ContainerConfig): RunConfig {
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
