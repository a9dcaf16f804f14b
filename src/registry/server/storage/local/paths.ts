import { join } from 'node:path';
import { algorithmOf, type ContentDigest, encodedOf } from '../../content-digest.ts';

/**
 * Where things are below the root, which is an OCI image layout with more beside it:
 *
 *     oci-layout  index.json  blobs/ALGORITHM/HEX     all content
 *     repositories/NAME/_blobs/ALGORITHM/HEX          hard links to it: what the repository has
 *                       _manifests/ALGORITHM/HEX      the same for manifests
 *                       _referrers/ALGORITHM/HEX/ALGORITHM-HEX   empty: the second is a referrer of the first
 *                       _tags/NAME                    holds a digest; its time is the tag's
 *     uploads/ID.data  uploads/ID.json                blobs on their way in
 *     tmp/  locks/
 *
 * No component of a repository's name begins with `_`, so the two never meet.
 */
export class Paths {
  readonly root: string;
  readonly blobs: string;
  readonly repositories: string;
  readonly uploads: string;
  readonly temporary: string;
  readonly locks: string;

  constructor(root: string) {
    this.root = root;
    this.blobs = join(root, 'blobs');
    this.repositories = join(root, 'repositories');
    this.uploads = join(root, 'uploads');
    this.temporary = join(root, 'tmp');
    this.locks = join(root, 'locks');
  }

  content(digest: ContentDigest): string {
    return join(this.blobs, algorithmOf(digest), encodedOf(digest));
  }

  repository(name: string): string {
    return join(this.repositories, name);
  }

  shelf(repository: string, kind: Shelf): string {
    return join(this.repository(repository), `_${kind}`);
  }

  shelved(repository: string, kind: Shelf, digest: ContentDigest): string {
    return join(this.shelf(repository, kind), algorithmOf(digest), encodedOf(digest));
  }

  tags(repository: string): string {
    return join(this.repository(repository), '_tags');
  }

  referrers(repository: string, subject: ContentDigest): string {
    return join(this.repository(repository), '_referrers', algorithmOf(subject), encodedOf(subject));
  }
}

/** The two kinds of content of a repository. */
export type Shelf = 'blobs' | 'manifests';
