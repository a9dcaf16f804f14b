import { posix } from 'node:path';
import type { ContainerConfig, ContainerCreateRequest } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import type { Healthcheck, RunConfig } from '../../oci/index.ts';

/** The request's config with the image's for what it leaves out. [moby daemon/commit.go, create.go] */
export function mergeImageConfig(request: ContainerCreateRequest, image: RunConfig): ContainerConfig {
  const command = mergeCommand(request, image);
  const exposed = { ...portKeys(image.ExposedPorts), ...portKeys(request.ExposedPorts) };
  const volumes = { ...image.Volumes, ...request.Volumes };
  const healthcheck = mergeHealthcheck(request.Healthcheck, image.Healthcheck);
  const stopSignal = firstNonEmpty(request.StopSignal, image.StopSignal);
  const stopTimeout = request.StopTimeout ?? image.StopTimeout;
  const shell = (request.Shell?.length ?? 0) > 0 ? request.Shell : image.Shell;
  const workingDir = firstNonEmpty(request.WorkingDir, image.WorkingDir) ?? '';
  return {
    Hostname: request.Hostname ?? '',
    Domainname: request.Domainname ?? '',
    User: firstNonEmpty(request.User, image.User) ?? '',
    AttachStdin: request.AttachStdin ?? false,
    AttachStdout: request.AttachStdout ?? false,
    AttachStderr: request.AttachStderr ?? false,
    ...(Object.keys(exposed).length === 0 ? {} : { ExposedPorts: exposed }),
    Tty: request.Tty ?? false,
    OpenStdin: request.OpenStdin ?? false,
    StdinOnce: request.StdinOnce ?? false,
    Env: mergeEnv(request.Env ?? [], image.Env ?? []),
    Cmd: command.cmd,
    ...(healthcheck === undefined ? {} : { Healthcheck: healthcheck }),
    Image: request.Image ?? '',
    Volumes: Object.keys(volumes).length === 0 ? null : volumes,
    WorkingDir: workingDir === '' ? '' : posix.normalize(workingDir).replace(/(?<=.)\/$/, ''),
    Entrypoint: command.entrypoint,
    ...(request.NetworkDisabled === undefined ? {} : { NetworkDisabled: request.NetworkDisabled }),
    OnBuild: request.OnBuild ?? null,
    Labels: { ...image.Labels, ...request.Labels },
    ...(stopSignal === undefined ? {} : { StopSignal: stopSignal }),
    ...(stopTimeout === undefined || stopTimeout === null ? {} : { StopTimeout: stopTimeout }),
    ...(shell === undefined ? {} : { Shell: shell }),
  };
}

interface Command {
  readonly entrypoint: readonly string[] | null;
  readonly cmd: readonly string[] | null;
}

/** The image's Cmd belongs to the image's entrypoint: a request that names either goes without it. */
function mergeCommand(request: ContainerCreateRequest, image: RunConfig): Command {
  const given = request.Entrypoint ?? null;
  const asked = request.Cmd ?? null;
  const unset = (given?.length ?? 0) === 0 && (asked?.length ?? 0) === 0;
  const cmd = unset ? (image.Cmd ?? null) : asked;
  const entrypoint = given ?? image.Entrypoint ?? null;
  const cleared = entrypoint?.length === 0 || (entrypoint?.length === 1 && entrypoint[0] === '');
  const command = { entrypoint: cleared ? null : entrypoint, cmd: cmd?.length === 0 ? null : cmd };
  if (command.entrypoint === null && command.cmd === null) {
    throw new EngineError('invalidArgument', 'no command specified');
  }
  return command;
}

/** The user's first, then the image's other keys: as Docker shows them. */
function mergeEnv(user: readonly string[], image: readonly string[]): string[] {
  const keys = new Set(user.map(keyOf));
  return [...user, ...image.filter((entry) => !keys.has(keyOf(entry)))];
}

function keyOf(entry: string): string {
  return entry.split('=', 1)[0] ?? '';
}

function mergeHealthcheck(
  user: Healthcheck | null | undefined,
  image: Healthcheck | null | undefined,
): Healthcheck | undefined {
  if (user === undefined || user === null) return image ?? undefined;
  if (image === undefined || image === null) return user;
  const given = Object.fromEntries(
    Object.entries(user).filter(([, value]) => (Array.isArray(value) ? value.length > 0 : Boolean(value))),
  );
  return { ...image, ...given };
}

/** `80` means `80/tcp`. */
function portKeys(ports: Readonly<Record<string, object>> | null | undefined): Record<string, object> {
  return Object.fromEntries(
    Object.entries(ports ?? {}).map(([port, value]) => [port.includes('/') ? port : `${port}/tcp`, value]),
  );
}

function firstNonEmpty(...values: readonly (string | undefined)[]): string | undefined {
  return values.find((value) => value !== undefined && value !== '');
}
