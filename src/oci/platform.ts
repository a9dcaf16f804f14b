import { EngineError } from '../errors/index.ts';
import type { Platform } from './image.ts';

const architectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  x86_64: 'amd64',
  'x86-64': 'amd64',
  ia32: '386',
  i386: '386',
  aarch64: 'arm64',
  armhf: 'arm',
  armel: 'arm',
  ppc64: 'ppc64le',
};
/** Architectures whose programs a processor runs beside its own. */
const alsoRuns: Readonly<Record<string, readonly string[]>> = { amd64: ['386'], arm64: ['arm'] };
const systems = new Set(['linux', 'windows', 'darwin', 'freebsd', 'netbsd', 'openbsd', 'solaris', 'plan9']);
const part = /^[A-Za-z0-9_.-]+$/;

/** The platform this process runs on, in Go's words: `{ os: 'linux', architecture: 'amd64' }`. */
export function hostPlatform(): Platform {
  return { os: process.platform, architecture: architectures[process.arch] ?? process.arch };
}

/** Parses `linux/arm64/v8`, `linux/amd64`, `arm64` or `linux`. Throws `invalidArgument`. */
export function parsePlatform(text: string): Platform {
  const parts = text.split('/');
  if (parts.length > 3 || parts.some((one) => !part.test(one))) {
    throw new EngineError('invalidArgument', `"${text}": unknown operating system or architecture`);
  }
  const [first = '', second, third] = parts.map((one) => one.toLowerCase());
  const host = hostPlatform();
  if (second === undefined) {
    return systems.has(first) ? { ...host, os: first } : { os: host.os, ...architectureOf(first) };
  }
  return { os: first, ...architectureOf(second, third) };
}

/** `linux/arm64/v8`. */
export function platformString(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return [os, architecture, variant].filter((one) => one !== undefined && one !== '').join('/');
}

/** Whether `has` runs where `wanted` is asked for: a variant counts only if both name one. */
export function platformMatches(wanted: Platform, has: Platform): boolean {
  return (
    wanted.os === has.os &&
    wanted.architecture === has.architecture &&
    ((wanted.variant ?? '') === '' ||
      (has.variant ?? '') === '' ||
      normalVariant(wanted) === normalVariant(has))
  );
}

/** Whether a host runs the programs of `platform` by itself, without an emulator. */
export function hostRuns(platform: Platform, host = hostPlatform()): boolean {
  if (platformMatches(host, platform)) return true;
  return platform.os === host.os && (alsoRuns[host.architecture] ?? []).includes(platform.architecture);
}

function architectureOf(name: string, variant?: string): { architecture: string; variant?: string } {
  const architecture = architectures[name] ?? name;
  const implied = name === 'armel' ? 'v6' : name === 'armhf' ? 'v7' : undefined;
  const given = variant ?? implied;
  if (given === undefined) return { architecture };
  return { architecture, variant: /^\d/.test(given) ? `v${given}` : given };
}

function normalVariant({ architecture, variant }: Platform): string {
  return variant ?? (architecture === 'arm64' ? 'v8' : architecture === 'arm' ? 'v7' : '');
}
