/** Cuts `repo:tag` for the API, which wants the two apart. A digest stays with the repository. */
export function splitReference(reference: string): { readonly repository: string; readonly tag?: string } {
  if (reference.includes('@')) return { repository: reference };
  const colon = reference.lastIndexOf(':');
  if (colon === -1 || reference.includes('/', colon)) return { repository: reference };
  return { repository: reference.slice(0, colon), tag: reference.slice(colon + 1) };
}
