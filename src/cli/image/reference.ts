import { EngineError } from '../../errors/index.ts';
import { canonicalString, parseReference, withDefaultTag } from '../../oci/index.ts';

/** Cuts `repo:tag` for the API, which wants the two apart. A digest stays with the repository. */
export function splitReference(reference: string): { readonly repository: string; readonly tag?: string } {
  if (reference.includes('@')) return { repository: reference };
  const colon = reference.lastIndexOf(':');
  if (colon === -1 || reference.includes('/', colon)) return { repository: reference };
  return { repository: reference.slice(0, colon), tag: reference.slice(colon + 1) };
}

/** What a pull or a push names in full, `docker.io/library/busybox:latest`; with all tags a repository alone. */
export function transferOf(
  image: string,
  options: { readonly allTags: boolean },
): { readonly name: string; readonly usesDefaultTag: boolean } {
  const asked = parseReference(image);
  const tagged = withDefaultTag(asked);
  if (!options.allTags) return { name: canonicalString(tagged), usesDefaultTag: tagged !== asked };
  if (tagged === asked) throw new EngineError('invalidArgument', "tag can't be used with --all-tags/-a");
  return { name: canonicalString(asked), usesDefaultTag: false };
}
