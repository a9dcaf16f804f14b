import type { ContainerConfig, ExecCreateRequest, HostConfig, Ulimit } from '../../api/index.ts';
import type { ProcessSpec } from '../../runtime/index.ts';
import { defaultAppArmorProfile } from '../apparmor.ts';
import type { HostFacts } from '../host-facts.ts';
import type { ResolvedUser } from '../user.ts';
import { capabilitiesOf } from './capabilities.ts';
import { createEnvironment } from './environment.ts';
import { initDestination } from './mounts.ts';
import { securityOptions } from './security-options.ts';

export interface ProcessInput {
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly user: ResolvedUser;
  readonly host: HostFacts;
  /** The command runs below the init program. */
  readonly init: boolean;
}

export interface ExecInput extends Omit<ProcessInput, 'init'> {
  readonly request: ExecCreateRequest;
}

/** The container's command. */
export function createProcess(input: ProcessInput): ProcessSpec {
  const { config, hostConfig, init } = input;
  const command = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  return {
    ...commonProcess(input, hostConfig.Privileged),
    terminal: config.Tty,
    ...consoleSize(config.Tty, hostConfig.ConsoleSize),
    args: init ? [initDestination, '--', ...command] : command,
    env: createEnvironment({ hostname: config.Hostname, tty: config.Tty, env: config.Env }),
    cwd: config.WorkingDir === '' ? '/' : config.WorkingDir,
  };
}

/** A further command in a running container: its environment, directory and limits, with the request's changes. */
export function createExecProcess(input: ExecInput): ProcessSpec {
  const { config, request } = input;
  const tty = request.Tty === true;
  return {
    ...commonProcess(input, input.hostConfig.Privileged || request.Privileged === true),
    terminal: tty,
    ...consoleSize(tty, request.ConsoleSize ?? undefined),
    args: request.Cmd ?? [],
    env: createEnvironment({ hostname: config.Hostname, tty, env: config.Env, execEnv: request.Env ?? [] }),
    cwd: firstNonEmpty(request.WorkingDir, config.WorkingDir) ?? '/',
  };
}

/** `privileged` is about capabilities: what else confines a container confines each further command too. */
type CommonProcess = Omit<ProcessSpec, 'terminal' | 'args' | 'env' | 'cwd'>;

function commonProcess(input: Omit<ProcessInput, 'init'>, privileged: boolean): CommonProcess {
  const { hostConfig, user, host } = input;
  const capabilities = capabilitiesOf({
    privileged,
    add: hostConfig.CapAdd ?? [],
    drop: hostConfig.CapDrop ?? [],
    available: host.capabilities,
  });
  const options = securityOptions(hostConfig.SecurityOpt ?? []);
  const apparmorProfile = apparmorProfileOf(hostConfig, host);
  const rlimits = (hostConfig.Ulimits ?? []).map(toRlimit);
  return {
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    oomScoreAdj: hostConfig.OomScoreAdj,
    ...(rlimits.length === 0 ? {} : { rlimits }),
    ...(options.noNewPrivileges ? { noNewPrivileges: true } : {}),
    ...(apparmorProfile === undefined ? {} : { apparmorProfile }),
  };
}

/** The profile to name, `undefined` where the kernel has no AppArmor or Docker's profile is not loaded. */
export function apparmorProfileOf(
  { SecurityOpt, Privileged }: Pick<HostConfig, 'SecurityOpt' | 'Privileged'>,
  { apparmor }: Pick<HostFacts, 'apparmor'>,
): string | undefined {
  if (!apparmor.enabled) return undefined;
  const wanted = securityOptions(SecurityOpt ?? []).apparmor;
  if (wanted !== undefined && wanted !== '') return wanted;
  if (Privileged) return 'unconfined';
  return apparmor.defaultProfileLoaded ? defaultAppArmorProfile : undefined;
}

function toRlimit({ Name, Soft, Hard }: Ulimit): { type: string; soft: number; hard: number } {
  return { type: `RLIMIT_${Name.toUpperCase()}`, soft: limitOf(Soft), hard: limitOf(Hard) };
}

/** Not in TypeScript's library yet. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };

/** -1 is no limit: RLIM_INFINITY, which no double holds, so that it stands in the JSON as these digits. */
function limitOf(value: number): number {
  return value === -1 ? (rawJSON('18446744073709551615') as number) : value;
}

function consoleSize(
  tty: boolean,
  size: readonly [height: number, width: number] | undefined,
): { consoleSize?: { height: number; width: number } } {
  const [height = 0, width = 0] = size ?? [];
  return tty && height > 0 && width > 0 ? { consoleSize: { height, width } } : {};
}

function firstNonEmpty(...values: readonly (string | undefined)[]): string | undefined {
  return values.find((value) => value !== undefined && value !== '');
}
