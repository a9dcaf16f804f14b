import type { Action } from '../protocol/exchange.ts';
import type { Access } from './authorizer.ts';

const every: readonly Action[] = ['pull', 'push', 'delete'];

/** What Docker's scopes ask for, `repository:NAME:pull,push`; other kinds of scope are left out. */
export function parseScopes(scopes: readonly string[]): readonly Access[] {
  return scopes
    .flatMap((scope) => scope.split(' '))
    .flatMap((scope) => {
      const [, repository, actions] = /^repository(?:\([^)]*\))?:(.+):([^:]*)$/.exec(scope) ?? [];
      if (repository === undefined || actions === undefined) return [];
      return [{ repository, actions: actionsOf(actions.split(',')) }];
    });
}

export function scopesOf(needed: readonly Access[]): string {
  return needed.map(({ repository, actions }) => `repository:${repository}:${actions.join(',')}`).join(' ');
}

/** The `access` claim of a token. Anything in it that is not of the known form counts for nothing. */
export function accessOf(claim: unknown): readonly Access[] {
  if (!Array.isArray(claim)) return [];
  return claim.flatMap((one: unknown) => {
    if (typeof one !== 'object' || one === null) return [];
    const { type, name, actions } = one as Readonly<Record<string, unknown>>;
    if (type !== 'repository' || typeof name !== 'string' || !Array.isArray(actions)) return [];
    return [{ repository: name, actions: actionsOf(actions.map(String)) }];
  });
}

export function claimOf(access: readonly Access[]): readonly object[] {
  return access.map(({ repository, actions }) => ({ type: 'repository', name: repository, actions }));
}

function actionsOf(words: readonly string[]): readonly Action[] {
  return every.filter((action) => words.includes(action) || words.includes('*'));
}
