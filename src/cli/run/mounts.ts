import { resolve } from 'node:path';
import type { MountSpec } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import { parseSize } from '../sizes.ts';
import { parseCsvLine } from './csv.ts';

function invalid(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
interface Draft {
  Type?: string;
  Source?: string;
  Target?: string;
  ReadOnly?: boolean;
  Consistency?: string;
  BindOptions?: Mutable<NonNullable<MountSpec['BindOptions']>>;
  VolumeOptions?: {
    NoCopy?: boolean;
    Labels?: Record<string, string>;
    Subpath?: string;
    DriverConfig?: { Name?: string; Options?: Record<string, string> };
  };
  TmpfsOptions?: { SizeBytes?: number; Mode?: number };
  ImageOptions?: { Subpath: string };
}

function flagValue(key: string, value: string | undefined): boolean {
  if (value === undefined || value === '' || value === '1' || value.toLowerCase() === 'true') return true;
  if (value === '0' || value.toLowerCase() === 'false') return false;
  throw invalid(`invalid value for ${key}: ${value}`);
}

const booleanKeys = new Set(['readonly', 'ro', 'volume-nocopy', 'bind-nonrecursive', 'bind-create-src']);

/** Reads one `--mount` (`type=bind,src=/a,dst=/b,readonly`). Relative bind sources are taken from `cwd`. */
export function parseMount(text: string, cwd: string = process.cwd()): MountSpec {
  const draft: Draft = {};
  for (const field of parseCsvLine(text)) {
    const equals = field.indexOf('=');
    const key = (equals === -1 ? field : field.slice(0, equals)).toLowerCase();
    const value = equals === -1 ? undefined : field.slice(equals + 1);
    if (value === undefined && !booleanKeys.has(key)) {
      throw invalid(`invalid field '${field}' must be a key=value pair`);
    }
    applyField(draft, key, value, field);
  }
  return checkedMount(draft, text, cwd);
}

function applyField(draft: Draft, key: string, given: string | undefined, field: string): void {
  const value = given ?? '';
  switch (key) {
    case 'type':
      draft.Type = value.toLowerCase();
      return;
    case 'source':
    case 'src':
      draft.Source = value;
      return;
    case 'target':
    case 'dst':
    case 'destination':
      draft.Target = value;
      return;
    case 'readonly':
    case 'ro':
      draft.ReadOnly = flagValue(key, given);
      return;
    case 'consistency':
      draft.Consistency = value.toLowerCase();
      return;
    case 'tmpfs-size':
      draft.TmpfsOptions = { ...draft.TmpfsOptions, SizeBytes: parseSize(value) };
      return;
    case 'tmpfs-mode':
      if (!/^[0-7]+$/.test(value)) throw invalid(`invalid value for ${key}: ${value}`);
      draft.TmpfsOptions = { ...draft.TmpfsOptions, Mode: Number.parseInt(value, 8) };
      return;
    case 'image-subpath':
      draft.ImageOptions = { Subpath: value };
      return;
    default:
      if (!applyBind(draft, key, given) && !applyVolume(draft, key, given)) {
        throw invalid(`unexpected key '${key}' in '${field}'`);
      }
  }
}

function applyBind(draft: Draft, key: string, given: string | undefined): boolean {
  switch (key) {
    case 'bind-propagation':
      draft.BindOptions = { ...draft.BindOptions, Propagation: (given ?? '').toLowerCase() };
      return true;
    case 'bind-nonrecursive':
      draft.BindOptions = { ...draft.BindOptions, NonRecursive: flagValue(key, given) };
      return true;
    case 'bind-create-src':
      draft.BindOptions = { ...draft.BindOptions, CreateMountpoint: flagValue(key, given) };
      return true;
    case 'bind-recursive':
      draft.BindOptions = { ...draft.BindOptions, ...recursion(given ?? '') };
      return true;
    default:
      return false;
  }
}

function recursion(value: string): NonNullable<Draft['BindOptions']> {
  switch (value) {
    case 'enabled':
      return {};
    case 'disabled':
      return { NonRecursive: true };
    case 'writable':
      return { ReadOnlyNonRecursive: true };
    case 'readonly':
      return { ReadOnlyForceRecursive: true };
    default:
      throw invalid(
        `invalid value for bind-recursive: ${value} (must be "enabled", "disabled", "writable", or "readonly")`,
      );
  }
}

function applyVolume(draft: Draft, key: string, given: string | undefined): boolean {
  const value = given ?? '';
  const options = draft.VolumeOptions ?? {};
  const [name, rest] = splitPair(value);
  switch (key) {
    case 'volume-nocopy':
      draft.VolumeOptions = { ...options, NoCopy: flagValue(key, given) };
      return true;
    case 'volume-subpath':
      draft.VolumeOptions = { ...options, Subpath: value };
      return true;
    case 'volume-label':
      draft.VolumeOptions = { ...options, Labels: { ...options.Labels, [name]: rest } };
      return true;
    case 'volume-driver':
      draft.VolumeOptions = { ...options, DriverConfig: { ...options.DriverConfig, Name: value } };
      return true;
    case 'volume-opt': {
      const config = options.DriverConfig ?? {};
      draft.VolumeOptions = {
        ...options,
        DriverConfig: { ...config, Options: { ...config.Options, [name]: rest } },
      };
      return true;
    }
    default:
      return false;
  }
}

function splitPair(text: string): [string, string] {
  const equals = text.indexOf('=');
  return equals === -1 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}

function checkedMount(draft: Draft, text: string, cwd: string): MountSpec {
  const type = draft.Type ?? 'volume';
  if (draft.Target === undefined || draft.Target === '') throw invalid('target is required');
  if (draft.VolumeOptions !== undefined && type !== 'volume') {
    throw invalid(`cannot mix 'volume-*' options with mount type '${type}'`);
  }
  if (draft.BindOptions !== undefined && type !== 'bind') {
    throw invalid(`cannot mix 'bind-*' options with mount type '${type}'`);
  }
  if (draft.TmpfsOptions !== undefined && type !== 'tmpfs') {
    throw invalid(`cannot mix 'tmpfs-*' options with mount type '${type}'`);
  }
  if (draft.ImageOptions !== undefined && type !== 'image') {
    throw invalid(`cannot mix 'image-*' options with mount type '${type}'`);
  }
  if (draft.BindOptions?.ReadOnlyNonRecursive === true && draft.ReadOnly !== true) {
    throw invalid(
      `option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction: ${text}`,
    );
  }
  if (draft.BindOptions?.ReadOnlyForceRecursive === true) {
    if (draft.ReadOnly !== true) {
      throw invalid("option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction");
    }
    if (draft.BindOptions.Propagation !== 'rprivate') {
      throw invalid(
        "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction",
      );
    }
  }
  const source =
    type === 'bind' && draft.Source?.startsWith('.') === true ? resolve(cwd, draft.Source) : draft.Source;
  return {
    ...draft,
    Type: type as MountSpec['Type'],
    Target: draft.Target,
    ...(source === undefined ? {} : { Source: source }),
  };
}

/** `-v`: a bind or named volume goes to `binds`, a lone container path is an anonymous volume. */
export function parseVolumes(
  specs: readonly string[],
  cwd: string = process.cwd(),
): { readonly binds: readonly string[]; readonly volumes: Readonly<Record<string, object>> } {
  const binds: string[] = [];
  const volumes: Record<string, object> = {};
  for (const spec of specs) {
    const parts = spec.split(':');
    if (spec === '') throw invalid('invalid empty volume spec');
    if (parts.includes('')) throw invalid(`invalid spec: ${spec}: empty section between colons`);
    if (parts.length > 3) throw invalid(`invalid spec: ${spec}: too many colons`);
    const [source = '', ...rest] = parts;
    if (rest.length === 0) {
      volumes[source] = {};
      continue;
    }
    const onHost = source === '.' || source === '..' || source.startsWith('./') || source.startsWith('../');
    const path = onHost ? resolve(cwd, source) : source;
    binds.push([path, ...rest].join(':'));
  }
  return { binds, volumes };
}

/** `--tmpfs /path[:options]`. */
export function parseTmpfs(specs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    specs.map((spec) => {
      const colon = spec.indexOf(':');
      return colon === -1 ? [spec, ''] : [spec.slice(0, colon), spec.slice(colon + 1)];
    }),
  );
}
