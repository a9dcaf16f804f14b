import type { AccessRule } from '../config/registry-config.ts';
import { matchesAny } from '../patterns.ts';
import type { Action } from '../protocol/exchange.ts';

/** Whether a rule allows it. Nobody is an undefined user; what no rule allows is refused. */
export function isAllowed(
  rules: readonly AccessRule[],
  user: string | undefined,
  { repository, action }: { readonly repository: string; readonly action: Action },
): boolean {
  return rules.some(
    (rule) =>
      rule.actions.includes(action) &&
      (rule.anonymous || (user !== undefined && (rule.users.includes('*') || rule.users.includes(user)))) &&
      matchesAny(rule.repositories, repository),
  );
}
