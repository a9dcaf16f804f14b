import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { namesIn } from '../../../../lib/missing-files.ts';
import { algorithmOf, type ContentDigest, encodedOf, isContentDigest } from '../../content-digest.ts';
import type { ContentInfo, DeleteCondition, ManifestStorage, NewManifest, Quota } from '../storage.ts';
import { orMissing, placeFile, writeTemporary } from './durable.ts';
import type { Paths } from './paths.ts';
import type { ContentShelf, Quotas } from './shelf.ts';

/** The field of a manifest that names what it refers to. */
const subjectField = /"subject"/;

export class LocalManifests implements ManifestStorage {
  readonly #paths: Paths;
  readonly #shelf: ContentShelf;
  readonly #quotas: Quotas;

  constructor(paths: Paths, shelf: ContentShelf, quotas: Quotas) {
    this.#paths = paths;
    this.#shelf = shelf;
    this.#quotas = quotas;
  }

  async put(repository: string, { digest, bytes, subject }: NewManifest, quota?: Quota): Promise<void> {
    const there = await this.#shelf.use(repository, digest);
    const added = there === undefined ? bytes.length : 0;
    await this.#quotas.within(repository, added, quota, async () => {
      // First, for a manifest that is there must be found by its subject; without a manifest the entry means nothing.
      if (subject !== undefined) {
        await placeFile(this.#paths.temporary, this.#referrer(repository, subject, digest), '');
      }
      if (there !== undefined) return;
      const source = await writeTemporary(this.#paths.temporary, bytes);
      try {
        await this.#shelf.adopt(repository, { digest, source, size: bytes.length });
      } finally {
        await rm(source, { force: true });
      }
    });
  }

  async read(repository: string, digest: ContentDigest): Promise<Buffer | undefined> {
    return orMissing(readFile(this.#shelf.path(repository, digest)));
  }

  info(repository: string, digest: ContentDigest): Promise<ContentInfo | undefined> {
    return this.#shelf.info(repository, digest);
  }

  use(repository: string, digest: ContentDigest): Promise<ContentInfo | undefined> {
    return this.#shelf.use(repository, digest);
  }

  async delete(repository: string, digest: ContentDigest, condition?: DeleteCondition): Promise<boolean> {
    const bytes = await this.read(repository, digest);
    if (bytes === undefined || !(await this.#shelf.delete(repository, digest, condition))) return false;
    const subject = subjectOf(bytes);
    if (subject !== undefined) await rm(this.#referrer(repository, subject, digest), { force: true });
    return true;
  }

  list(repository: string): AsyncIterable<ContentInfo> {
    return this.#shelf.list(repository);
  }

  async referrers(repository: string, subject: ContentDigest): Promise<readonly ContentDigest[]> {
    const names = await namesIn(this.#paths.referrers(repository, subject));
    const found: ContentDigest[] = [];
    for (const name of names.sort()) {
      const digest = name.replace('-', ':');
      if (isContentDigest(digest) && (await this.info(repository, digest)) !== undefined) found.push(digest);
    }
    return found;
  }

  #referrer(repository: string, subject: ContentDigest, digest: ContentDigest): string {
    return join(this.#paths.referrers(repository, subject), `${algorithmOf(digest)}-${encodedOf(digest)}`);
  }
}

function subjectOf(bytes: Buffer): ContentDigest | undefined {
  const text = bytes.toString();
  if (!subjectField.test(text)) return undefined;
  const manifest = JSON.parse(text) as { readonly subject?: { readonly digest?: unknown } | null };
  const digest = manifest.subject?.digest;
  return typeof digest === 'string' && isContentDigest(digest) ? digest : undefined;
}
