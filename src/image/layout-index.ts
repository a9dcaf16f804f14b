import type { ContentStore } from '../content/index.ts';
import { type Descriptor, familiarString, type Index, MediaType } from '../oci/index.ts';
import type { ImageRows } from './image-rows.ts';

/** Changes close together, a build's steps for one, are written at once. */
const delayMs = 500;

/** Disposing writes what is due, and rejects if writing failed. */
export interface LayoutIndex extends AsyncDisposable {
  /** Says that images or references changed. Costs nothing; the file follows within half a second. */
  changed(): void;
  /** Whether the file tells what there is now. */
  isCurrent(): Promise<boolean>;
  /** Writes the file anew. */
  write(): Promise<void>;
}

/**
 * Keeps the content store's `index.json`, so that other tools can read the store as an OCI layout
 * (`oci:DIR:busybox:latest`). It is a view: nothing here reads it, and it is never synced, so that builds wait for
 * nothing; each start writes it anew.
 */
export function keepLayoutIndex(rows: ImageRows, content: ContentStore): LayoutIndex {
  let timer: NodeJS.Timeout | undefined;
  let last = Promise.resolve();
  const write = () => {
    timer = undefined;
    // After a failure the next change tries again, or who waits for the file.
    last = last
      .then(undefined, () => undefined)
      .then(async () => content.describe(await encode(rows, content)));
    last.catch(() => undefined);
  };
  const changed = () => {
    timer ??= setTimeout(write, delayMs).unref();
  };
  const settled = async () => {
    if (timer !== undefined) {
      clearTimeout(timer);
      write();
    }
    // The disk that was full then may have room now.
    await last.catch(async () => {
      write();
      await last;
    });
  };
  changed();
  return {
    changed,
    isCurrent: async () => {
      // What is due is no fault, and what changes right now is not told by either.
      for (let tries = 0; tries < 3; tries += 1) {
        await settled();
        if ((await content.described()) === JSON.stringify(await encode(rows, content))) return true;
      }
      return false;
    },
    write: async () => {
      write();
      await last;
    },
    [Symbol.asyncDispose]: settled,
  };
}

async function encode(rows: ImageRows, content: ContentStore): Promise<Index> {
  const references = rows.allReferences();
  const manifests: Descriptor[] = [];
  for (const { id, manifest, config } of rows.all()) {
    const info = await content.info(manifest);
    if (info === undefined) continue;
    const { architecture, os } = config;
    const descriptor = { mediaType: MediaType.ociManifest, ...info, platform: { architecture, os } };
    const names = references.get(id) ?? [];
    if (names.length === 0) manifests.push(descriptor);
    for (const name of names) {
      const annotations = { 'org.opencontainers.image.ref.name': familiarString(name) };
      manifests.push({ ...descriptor, annotations });
    }
  }
  return { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests };
}
