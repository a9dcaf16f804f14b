/** Docker's filters as a caller writes them: `{ label: ['a=b'], dangling: ['true'] }`. */
export type FilterValues = Readonly<Record<string, readonly string[]>>;

/** The `filters` query parameter; `undefined` when there is nothing to filter. */
export function filtersText(filters: FilterValues | undefined): string | undefined {
  if (filters === undefined || Object.keys(filters).length === 0) return undefined;
  const wire = Object.entries(filters).map(([key, values]) => [
    key,
    Object.fromEntries(values.map((value) => [value, true])),
  ]);
  return JSON.stringify(Object.fromEntries(wire));
}
