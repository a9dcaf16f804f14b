import { readFileSync } from 'node:fs';
import { EngineError, messageOf } from '../../errors/index.ts';
import { kernelAtLeast } from '../../lib/kernel-version.ts';

interface Condition {
  readonly caps?: readonly string[];
  readonly arches?: readonly string[];
  readonly minKernel?: string;
}

interface ProfileRule {
  readonly name?: string;
  readonly names?: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly object[] | null;
  readonly includes?: Condition;
  readonly excludes?: Condition;
}

/** Docker's profile format: the OCI one, with rules that hold only for some containers and hosts. */
interface Profile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[] | null;
  readonly archMap?:
    | readonly { readonly architecture: string; readonly subArchitectures: readonly string[] | null }[]
    | null;
  readonly syscalls?: readonly ProfileRule[] | null;
  readonly flags?: readonly string[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
}

/** `linux.seccomp` of the runtime specification. */
export interface SeccompSpec {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly flags?: readonly string[];
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls: readonly {
    readonly names: readonly string[];
    readonly action: string;
    readonly errnoRet?: number;
    readonly args?: readonly object[];
  }[];
}

export interface SeccompTarget {
  /** Go's word: amd64, arm64. */
  readonly architecture: string;
  /** `6.1.0-13-amd64` */
  readonly kernelVersion: string;
  /** The kernel runs programs of the x32 ABI. */
  readonly x32: boolean;
}

const nativeArchitecture: Readonly<Record<string, string>> = {
  amd64: 'SCMP_ARCH_X86_64',
  arm64: 'SCMP_ARCH_AARCH64',
  mips64: 'SCMP_ARCH_MIPS64',
  mips64le: 'SCMP_ARCH_MIPSEL64',
  s390x: 'SCMP_ARCH_S390X',
  riscv64: 'SCMP_ARCH_RISCV64',
  loong64: 'SCMP_ARCH_LOONGARCH64',
};

/** Docker's default profile, resolved for containers of one host. */
export class SeccompProfiles {
  readonly #target: SeccompTarget;
  readonly #resolved = new Map<string, SeccompSpec>();
  #default: Profile | undefined;

  constructor(target: SeccompTarget) {
    this.#target = target;
  }

  /** The built-in profile for a container with these capabilities. Nearly all have the same: it is kept. */
  builtin(capabilities: readonly string[]): SeccompSpec {
    const key = capabilities.join();
    let spec = this.#resolved.get(key);
    if (spec === undefined) {
      this.#default ??= JSON.parse(
        readFileSync(new URL('seccomp-default.json', import.meta.url), 'utf8'),
      ) as Profile;
      spec = withoutUnused(resolveProfile(this.#default, capabilities, this.#target), this.#target);
      this.#resolved.set(key, spec);
    }
    return spec;
  }

  /** A profile given as JSON text. `invalidArgument` if it is none. */
  custom(json: string, capabilities: readonly string[]): SeccompSpec {
    return resolveProfile(parseProfile(json), capabilities, this.#target);
  }
}

/**
 * Without x32 where the kernel has none: the runtime builds the filter anew for every container and exec, and half of
 * the time that takes goes into this ABI. A program that calls it all the same is killed instead of told ENOSYS.
 */
function withoutUnused(spec: SeccompSpec, { x32 }: SeccompTarget): SeccompSpec {
  if (x32 || spec.architectures === undefined) return spec;
  return { ...spec, architectures: spec.architectures.filter((one) => one !== 'SCMP_ARCH_X32') };
}

/** Throws `invalidArgument` with Docker's text where the kernel applies no profiles. */
export function assertSeccomp({ seccomp }: { readonly seccomp: boolean }): void {
  if (seccomp) return;
  const text = 'seccomp is not enabled in your kernel, cannot run a custom seccomp profile';
  throw new EngineError('invalidArgument', text);
}

/** Throws `invalidArgument` for text that is no seccomp profile. */
export function parseProfile(json: string): Profile {
  let profile: unknown;
  try {
    profile = JSON.parse(json);
  } catch (error) {
    throw new EngineError('invalidArgument', `decoding seccomp profile failed: ${messageOf(error)}`, {
      cause: error,
    });
  }
  if (!isProfile(profile)) {
    throw new EngineError('invalidArgument', 'decoding seccomp profile failed: no defaultAction');
  }
  if ((profile.architectures?.length ?? 0) > 0 && (profile.archMap?.length ?? 0) > 0) {
    throw new EngineError(
      'invalidArgument',
      "both 'architectures' and 'archMap' are specified in the seccomp profile, use either 'architectures' or 'archMap'",
    );
  }
  return profile;
}

function isProfile(value: unknown): value is Profile {
  return (
    typeof value === 'object' &&
    value !== null &&
    'defaultAction' in value &&
    typeof value.defaultAction === 'string'
  );
}

function resolveProfile(
  profile: Profile,
  capabilities: readonly string[],
  target: SeccompTarget,
): SeccompSpec {
  const { defaultErrnoRet, flags, listenerPath, listenerMetadata } = profile;
  const architectures = architecturesOf(profile, target.architecture);
  return {
    defaultAction: profile.defaultAction,
    ...(defaultErrnoRet === undefined ? {} : { defaultErrnoRet }),
    ...(architectures.length === 0 ? {} : { architectures }),
    ...(flags === undefined ? {} : { flags }),
    ...(listenerPath === undefined ? {} : { listenerPath }),
    ...(listenerMetadata === undefined ? {} : { listenerMetadata }),
    syscalls: (profile.syscalls ?? [])
      .filter((rule) => applies(rule, capabilities, target))
      .map((rule) => ({
        names: [...(rule.name === undefined ? [] : [rule.name]), ...(rule.names ?? [])],
        action: rule.action,
        ...(rule.errnoRet === undefined ? {} : { errnoRet: rule.errnoRet }),
        ...((rule.args?.length ?? 0) === 0 ? {} : { args: rule.args ?? [] }),
      })),
  };
}

function architecturesOf(profile: Profile, architecture: string): readonly string[] {
  if ((profile.architectures?.length ?? 0) > 0) return profile.architectures ?? [];
  const native = nativeArchitecture[architecture];
  const entry = profile.archMap?.find((one) => one.architecture === native);
  return entry === undefined ? [] : [entry.architecture, ...(entry.subArchitectures ?? [])];
}

function applies(rule: ProfileRule, capabilities: readonly string[], target: SeccompTarget): boolean {
  const { includes = {}, excludes = {} } = rule;
  if (excludes.arches?.includes(target.architecture) === true) return false;
  if (excludes.caps?.some((one) => capabilities.includes(one)) === true) return false;
  if (excludes.minKernel !== undefined && kernelAtLeast(target.kernelVersion, excludes.minKernel))
    return false;
  if ((includes.arches?.length ?? 0) > 0 && includes.arches?.includes(target.architecture) === false)
    return false;
  if (includes.caps?.every((one) => capabilities.includes(one)) === false) return false;
  return includes.minKernel === undefined || kernelAtLeast(target.kernelVersion, includes.minKernel);
}
