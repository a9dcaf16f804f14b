import type { PruneItem } from '../../api/index.ts';
import { EngineError, isCode } from '../../errors/index.ts';
import type { Journal } from '../../metadata/index.ts';
import { familiarString, parseReference, withDefaultTag } from '../../oci/index.ts';

/**
 * Whether the journal tells of an object being used after a place in it, even if it is not any more; and how. Throws
 * `conflict` if it does not reach back to that place.
 */
export function useSince(journal: Journal, cursor: number): (item: PruneItem) => string | undefined {
  if (!journal.reachesBackTo(cursor)) {
    throw new EngineError(
      'conflict',
      'the prune plan is too old: too much has happened since, make a new one',
    );
  }
  const uses = new Map<string, string>();
  for (const { type, action, id, attributes } of journal.read({ afterCursor: cursor })) {
    if (type === 'volume' && action === 'mount') uses.set(`volume ${id}`, 'a container mounted it since');
    if (type === 'network' && action === 'connect') uses.set(`network ${id}`, 'a container was on it since');
    if (type === 'container' && action === 'create') {
      uses.set(`image ${nameOf(attributes['image'] ?? '')}`, 'a container was made of it since');
    }
  }
  return ({ Kind, ID, Names }) =>
    [ID, ...Names].map((name) => uses.get(`${Kind} ${name}`)).find((use) => use !== undefined);
}

/** As a plan names it: with its tag. */
function nameOf(image: string): string {
  try {
    return familiarString(withDefaultTag(parseReference(image)));
  } catch (error) {
    if (isCode(error, 'invalidArgument')) return image;
    throw error;
  }
}
