import { EngineError } from '../../errors/index.ts';

export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  /** The container may write to its cgroups; `undefined` when it says neither. */
  readonly writableCgroups?: boolean;
  readonly apparmor?: string;
  /** `unconfined`, `builtin` or a profile's JSON. */
  readonly seccomp?: string;
  /** SELinux labels, in their order. */
  readonly labels: readonly string[];
}

/** Parses the `SecurityOpt`s of a container. `invalidArgument` with Docker's text for one it does not know. */
export function securityOptions(options: readonly string[]): SecurityOptions {
  let noNewPrivileges = false;
  let writableCgroups: boolean | undefined;
  let apparmor: string | undefined;
  let seccomp: string | undefined;
  const labels: string[] = [];
  for (const option of options) {
    if (option === 'no-new-privileges') {
      noNewPrivileges = true;
      continue;
    }
    if (option === 'disable') {
      labels.push(option);
      continue;
    }
    const { key, value } = splitOption(option);
    if (key === 'label') labels.push(value);
    else if (key === 'apparmor') apparmor = value;
    else if (key === 'seccomp') seccomp = value;
    else if (key === 'no-new-privileges') noNewPrivileges = booleanOf(value, option);
    else if (key === 'writable-cgroups') writableCgroups = booleanOf(value, option);
    else throw invalid(2, option);
  }
  return {
    noNewPrivileges,
    labels,
    ...(writableCgroups === undefined ? {} : { writableCgroups }),
    ...(apparmor === undefined ? {} : { apparmor }),
    ...(seccomp === undefined ? {} : { seccomp }),
  };
}

/** `key=value`, or the old `key:value`. */
function splitOption(option: string): { key: string; value: string } {
  const at = option.includes('=') ? option.indexOf('=') : option.indexOf(':');
  if (at === -1) throw invalid(1, option);
  return { key: option.slice(0, at), value: option.slice(at + 1) };
}

function booleanOf(value: string, option: string): boolean {
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw invalid(2, option);
}

function invalid(kind: 1 | 2, option: string): EngineError {
  return new EngineError('invalidArgument', `invalid --security-opt ${kind}: ${JSON.stringify(option)}`);
}
