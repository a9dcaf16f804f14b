import type { SearchResult } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import { readJson } from './body.ts';
import type { Session } from './session.ts';

const hubIndex = 'index.docker.io';

/** Splits `host/term` as references are split; without a host it is Docker Hub's index. */
export function splitSearchTerm(term: string): { readonly host: string; readonly term: string } {
  if (term.includes('://')) {
    throw new EngineError(
      'invalidArgument',
      `invalid repository name: repository name (${term}) should not have a scheme`,
    );
  }
  const slash = term.indexOf('/');
  const first = term.slice(0, Math.max(slash, 0));
  if (!/[.:]/.test(first) && first !== 'localhost') return { host: hubIndex, term };
  const rest = term.slice(slash + 1);
  const isHub = first === 'docker.io' || first === hubIndex;
  return { host: isHub ? hubIndex : first, term: isHub ? rest.replace(/^library\//, '') : rest };
}

/** The v1 search API, the only one there is. */
export async function search(
  session: Session,
  query: { readonly term: string; readonly limit: number },
  signal?: AbortSignal,
): Promise<readonly SearchResult[]> {
  const parameters = new URLSearchParams({ q: query.term, n: String(query.limit) });
  const response = await session.send({
    method: 'GET',
    at: `/v1/search?${parameters.toString()}`,
    scopes: [],
    headers: { 'x-docker-token': 'true' },
    expect: [200],
    signal,
  });
  const { results } = await readJson(response, 'search result');
  if (!Array.isArray(results)) throw new EngineError('invalidArgument', 'invalid search result');
  return results.map((one: unknown) => resultOf((one ?? {}) as Readonly<Record<string, unknown>>));
}

function resultOf(item: Readonly<Record<string, unknown>>): SearchResult {
  const { name, description, star_count: stars } = item;
  return {
    name: typeof name === 'string' ? name : '',
    description: typeof description === 'string' ? description : '',
    star_count: typeof stars === 'number' ? stars : 0,
    is_official: item['is_official'] === true,
    is_automated: item['is_automated'] === true,
  };
}
