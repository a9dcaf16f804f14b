import { EngineError } from '../errors/index.ts';
import { type DiffId, type Digest, isDigest } from './digest.ts';
import type { Descriptor, HistoryEntry, ImageConfig, Index, Manifest, RunConfig } from './image.ts';
import * as check from './json-check.ts';
import { hostPlatform } from './platform.ts';

/** Either document a tag may lead to, told apart by its content. */
export type ManifestOrIndex =
  | { readonly kind: 'manifest'; readonly manifest: Manifest }
  | { readonly kind: 'index'; readonly index: Index };

/** Parses a manifest of OCI or Docker schema 2. Throws `invalidArgument` naming the field. */
export function parseManifest(bytes: Uint8Array | string): Manifest {
  const parsed = parseManifestOrIndex(bytes);
  if (parsed.kind === 'index') throw invalid('manifest', 'it is an index');
  return parsed.manifest;
}

/** Parses an OCI index or Docker manifest list. Throws `invalidArgument` naming the field. */
export function parseIndex(bytes: Uint8Array | string): Index {
  const parsed = parseManifestOrIndex(bytes);
  if (parsed.kind === 'manifest') throw invalid('index', 'it is a manifest');
  return parsed.index;
}

/** Parses a manifest or an index. A document that is both is refused, so that no two readers see two things. */
export function parseManifestOrIndex(bytes: Uint8Array | string): ManifestOrIndex {
  const object = check.withoutNulls(check.parseJsonObject(bytes, 'manifest'));
  if (object['schemaVersion'] !== 2) {
    throw invalid('manifest', `schemaVersion must be 2, not ${JSON.stringify(object['schemaVersion'])}`);
  }
  check.checkFields(object, 'manifest', { mediaType: check.stringOf, annotations: check.stringMapOf });
  const isIndex = object['manifests'] !== undefined;
  if (isIndex && (object['layers'] !== undefined || object['config'] !== undefined)) {
    throw invalid('manifest', 'it has the fields of an index as well');
  }
  if (isIndex) {
    const manifests = descriptorsOf(object['manifests'], 'index.manifests');
    return { kind: 'index', index: { ...object, schemaVersion: 2, manifests } };
  }
  const config = descriptorOf(object['config'], 'manifest.config');
  const layers = descriptorsOf(object['layers'] ?? [], 'manifest.layers');
  return { kind: 'manifest', manifest: { ...object, schemaVersion: 2, config, layers } };
}

/**
 * Parses an image config, which has one diffID for each history entry that is not empty. Null fields are left out, names
 * may come in any case (Spring Boot writes `RootFS`), and a missing platform is this host's. Throws `invalidArgument`
 * naming the field.
 */
export function parseImageConfig(bytes: Uint8Array | string): ImageConfig {
  const object = check.fieldsOf(check.parseJsonObject(bytes, 'image config'), 'image config', {
    created: timeOf,
    author: check.stringOf,
    architecture: check.stringOf,
    os: check.stringOf,
    variant: check.stringOf,
    config: check.objectOf,
    rootfs: check.objectOf,
    history: check.arrayOf,
  });
  const rootfs = check.fieldsOf(object['rootfs'], 'image config.rootfs', { diff_ids: check.stringsOf });
  const diffIds = (rootfs['diff_ids'] ?? []) as readonly string[];
  for (const diffId of diffIds) digestOf(diffId, 'image config.rootfs.diff_ids');
  const host = hostPlatform();
  const history = historyOf(object['history'], diffIds.length);
  const config = object['config'] === undefined ? undefined : parseRunConfig(object['config']);
  return {
    ...object,
    architecture: (object['architecture'] as string | undefined) || host.architecture,
    os: (object['os'] as string | undefined) || host.os,
    rootfs: { type: 'layers', diff_ids: diffIds as DiffId[] },
    ...(config === undefined ? {} : { config }),
    ...(history === undefined ? {} : { history }),
  };
}

/** Parses what a container runs with: an image's `config`, a commit's body. Throws `invalidArgument`. */
export function parseRunConfig(value: unknown): RunConfig {
  const object = check.fieldsOf(value, 'config', {
    User: check.stringOf,
    ExposedPorts: check.objectOf,
    Env: check.stringsOf,
    Entrypoint: check.stringsOf,
    Cmd: check.stringsOf,
    Volumes: check.objectOf,
    WorkingDir: check.stringOf,
    Labels: check.stringMapOf,
    StopSignal: check.stringOf,
    ArgsEscaped: check.booleanOf,
    Healthcheck: check.objectOf,
    OnBuild: check.stringsOf,
    Shell: check.stringsOf,
    StopTimeout: check.sizeOf,
  });
  const health = object['Healthcheck'];
  if (health !== undefined) {
    object['Healthcheck'] = check.fieldsOf(health, 'config.Healthcheck', {
      Test: check.stringsOf,
      Interval: check.sizeOf,
      Timeout: check.sizeOf,
      StartPeriod: check.sizeOf,
      StartInterval: check.sizeOf,
      Retries: check.sizeOf,
    });
  }
  return object;
}

function historyOf(value: unknown, layers: number): HistoryEntry[] | undefined {
  if (value === undefined) return undefined;
  const entries = check.arrayOf(value, 'image config.history').map((one, index): HistoryEntry => {
    return check.fieldsOf(one, `image config.history[${index}]`, {
      created: timeOf,
      created_by: check.stringOf,
      author: check.stringOf,
      comment: check.stringOf,
      empty_layer: check.booleanOf,
    });
  });
  const filled = entries.filter((entry) => entry.empty_layer !== true).length;
  if (entries.length > 0 && filled > layers) {
    throw invalid('image config', 'too many non-empty layers in History section');
  }
  return entries;
}

function descriptorsOf(value: unknown, what: string): Descriptor[] {
  return check.arrayOf(value, what).map((one, index) => descriptorOf(one, `${what}[${index}]`));
}

function descriptorOf(value: unknown, what: string): Descriptor {
  const object = check.withoutNulls(check.objectOf(value, what));
  check.stringOf(object['mediaType'], `${what}.mediaType`);
  digestOf(object['digest'], `${what}.digest`);
  check.sizeOf(object['size'], `${what}.size`);
  check.checkFields(object, what, { annotations: check.stringMapOf, platform: check.objectOf });
  return object as unknown as Descriptor;
}

function digestOf(value: unknown, what: string): Digest {
  const text = check.stringOf(value, what);
  if (!isDigest(text)) throw invalid(what, `${JSON.stringify(text)} is not a sha256 digest`);
  return text;
}

function timeOf(value: unknown, what: string): void {
  const text = check.stringOf(value, what);
  if (text !== '' && Number.isNaN(Date.parse(text))) throw invalid(what, 'must be a time of RFC 3339');
}

function invalid(what: string, detail: string): EngineError {
  return new EngineError('invalidArgument', `invalid ${what}: ${detail}`);
}
