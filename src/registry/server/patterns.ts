/**
 * Whether a name fits one of the patterns: `*` stands for any characters but a slash, `**` also for those, `?` for one.
 * A pattern that begins with `!` takes back what an earlier one took.
 */
export function matchesAny(patterns: readonly string[], name: string): boolean {
  let matched = false;
  for (const pattern of patterns) {
    const negated = pattern.startsWith('!');
    if (matched === negated && expressionOf(negated ? pattern.slice(1) : pattern).test(name)) {
      matched = !negated;
    }
  }
  return matched;
}

function expressionOf(pattern: string): RegExp {
  const source = pattern.replace(/\*\*|\*|\?|[^*?]+/g, (part) => {
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    return part.replace(/[\\^$.|+()[\]{}]/g, '\\$&');
  });
  return new RegExp(`^${source}$`);
}
