import type { RetentionRule } from '../config/registry-config.ts';
import { matchesAny } from '../patterns.ts';
import type { Tag } from '../storage/index.ts';

/**
 * The tags that retention lets go. The first rule that matches a repository and tag decides about it: the newest
 * `keepLast` of the tags a rule decides about stay, and of the others those not older than `olderThanMs`.
 */
export function expiredTags(
  { name, tags }: { readonly name: string; readonly tags: readonly Tag[] },
  rules: readonly RetentionRule[],
  nowMs: number,
): readonly Tag[] {
  const decided = new Set<Tag>();
  return rules.flatMap((rule) => {
    if (!matchesAny(rule.repositories, name)) return [];
    const matching = tags.filter((tag) => !decided.has(tag) && matchesAny(rule.tags, tag.name));
    for (const tag of matching) decided.add(tag);
    const newestFirst = matching.toSorted((a, b) => b.setMs - a.setMs || (a.name < b.name ? 1 : -1));
    const { keepLast = 0, olderThanMs = 0 } = rule;
    return newestFirst.slice(keepLast).filter((tag) => tag.setMs <= nowMs - olderThanMs);
  });
}
