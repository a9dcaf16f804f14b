/** ` (did you mean X?)` for the option nearest to `word`, or nothing when none is near. */
export function didYouMean(word: string, options: readonly string[]): string {
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let least = 3;
  for (const option of options) {
    const distance = editDistance(wanted, option.toLowerCase());
    if (distance < least && distance < option.length) {
      least = distance;
      best = option;
    }
  }
  return best === undefined ? '' : ` (did you mean ${best}?)`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
