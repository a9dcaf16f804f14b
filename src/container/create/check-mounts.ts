import { posix } from 'node:path';
import type { HostConfig, MountSpec } from '../../api/index.ts';
import type { HostFacts } from '../host-facts.ts';
import { mergeTmpfsOptions } from '../spec/tmpfs-options.ts';
import { invalid } from './invalid.ts';

const propagations = new Set(['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave']);

/** Checks the form of `Mounts` and `Tmpfs`, and that no two mounts have one target. `Binds` are parsed elsewhere. */
export function assertMounts(hostConfig: HostConfig, host: Pick<HostFacts, 'recursiveReadOnly'>): void {
  const targets = new Set<string>();
  const once = (target: string) => {
    const clean = cleanTarget(target);
    if (targets.has(clean)) throw invalid(`Duplicate mount point: ${clean}`);
    targets.add(clean);
  };
  for (const bind of hostConfig.Binds ?? []) {
    const [first = '', second] = bind.split(':');
    once(second ?? first);
  }
  for (const mount of hostConfig.Mounts ?? []) {
    assertMount(mount, host);
    once(mount.Target);
  }
  for (const [target, options] of Object.entries(hostConfig.Tmpfs ?? {})) {
    const problem = targetProblem(target);
    if (problem !== undefined) throw invalid(problem);
    mergeTmpfsOptions(options.split(',').filter((option) => option !== ''));
    once(target);
  }
}

function assertMount(mount: MountSpec, host: Pick<HostFacts, 'recursiveReadOnly'>): void {
  const problem = mountProblem(mount) ?? recursionProblem(mount, host);
  if (problem !== undefined) {
    throw invalid(`invalid mount config for type ${JSON.stringify(mount.Type ?? '')}: ${problem}`);
  }
}

function mountProblem(mount: MountSpec): string | undefined {
  const source = mount.Source ?? '';
  if ((mount.Target ?? '') === '') return 'field Target must not be empty';
  const target = targetProblem(mount.Target);
  switch (mount.Type) {
    case 'bind':
      if (source === '') return 'field Source must not be empty';
      return target ?? extraField(mount, 'BindOptions') ?? bindProblem(mount);
    case 'volume':
      if (source === '' && mount.ReadOnly === true) {
        return 'must not set ReadOnly mode when using anonymous volumes';
      }
      return target ?? extraField(mount, 'VolumeOptions') ?? subpathProblem(mount.VolumeOptions?.Subpath);
    case 'tmpfs':
      if (source !== '') return 'field Source must not be specified';
      return target ?? extraField(mount, 'TmpfsOptions') ?? tmpfsProblem(mount);
    case 'image':
      if (source === '') return 'field Source must not be empty';
      return target ?? extraField(mount, 'ImageOptions') ?? subpathProblem(mount.ImageOptions?.Subpath);
    case 'npipe':
    case 'cluster':
    default:
      return 'mount type unknown';
  }
}

function bindProblem({ Source: source = '', BindOptions: options }: MountSpec): string | undefined {
  const propagation = options?.Propagation ?? '';
  if (propagation !== '' && !propagations.has(propagation)) return `invalid propagation mode: ${propagation}`;
  if (options?.ReadOnlyNonRecursive === true && options.ReadOnlyForceRecursive === true) {
    return 'mount options conflict: ReadOnlyNonRecursive && ReadOnlyForceRecursive';
  }
  return source.startsWith('/') ? undefined : `invalid mount path: '${source}' mount path must be absolute`;
}

function recursionProblem(
  { ReadOnly, BindOptions: options }: MountSpec,
  host: Pick<HostFacts, 'recursiveReadOnly'>,
): string | undefined {
  for (const word of ['ReadOnlyNonRecursive', 'ReadOnlyForceRecursive'] as const) {
    if (options?.[word] === true && ReadOnly !== true) {
      return `mount options conflict: !ReadOnly && BindOptions.${word}`;
    }
  }
  if (options?.ReadOnlyForceRecursive !== true) return undefined;
  if (options.NonRecursive === true) return 'mount options conflict: ReadOnlyForceRecursive && NonRecursive';
  return host.recursiveReadOnly ? undefined : 'rro is not supported: kernel version 5.12 or later is needed';
}

function subpathProblem(subpath = ''): string | undefined {
  const leaves = subpath.startsWith('/') || posix.normalize(subpath).split('/')[0] === '..';
  return subpath !== '' && leaves ? 'subpath must be a relative path within the volume' : undefined;
}

function tmpfsProblem({ TmpfsOptions: options }: MountSpec): string | undefined {
  if ((options?.SizeBytes ?? 0) < 0) return 'field SizeBytes must not be negative';
  return undefined;
}

const optionFields = ['BindOptions', 'VolumeOptions', 'ImageOptions', 'TmpfsOptions'] as const;

function extraField(mount: MountSpec, own: (typeof optionFields)[number]): string | undefined {
  const extra = optionFields.find(
    (field) => field !== own && mount[field] !== undefined && mount[field] !== null,
  );
  return extra === undefined ? undefined : `field ${extra} must not be specified`;
}

function targetProblem(target: string): string | undefined {
  if (!target.startsWith('/')) return `invalid mount path: '${target}' mount path must be absolute`;
  return cleanTarget(target) === '/' ? "invalid specification: destination can't be '/'" : undefined;
}

function cleanTarget(target: string): string {
  return posix.resolve('/', target);
}
