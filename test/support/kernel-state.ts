import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { namesIn, processes } from './proc.ts';

/**
 * What engines hold in the kernel, each thing named by its engine: the root's path, or the 8 digits of its digest. And
 * what tests make beside engines: disks, containers of a runtime alone, network namespaces.
 */
export interface KernelState {
  readonly mounts: readonly string[];
  readonly processes: readonly string[];
  readonly links: readonly string[];
  readonly namespaces: readonly string[];
  readonly tables: readonly string[];
  readonly cgroups: readonly string[];
}

export function readKernelState(): KernelState {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
  return {
    mounts: [
      ...matches(mounts, / (\/\S*gantry\S*)\/(?:snapshots|volumes|containers)/),
      ...disksOfTests(mounts),
    ],
    processes: processes().flatMap(({ words }) => bundleOf(words.join(' '))),
    links: matches(output('ip', '-o', 'link'), /: gt[yv]([0-9a-f]{8})/),
    namespaces: matches(namesIn('/run/netns').join('\n'), /^(gty-[0-9a-f]{8}|gantrytest-.*)/),
    tables: matches(output('nft', 'list', 'tables'), /gantry-([0-9a-f]{8})/),
    cgroups: matches(cgroupNames().join('\n'), /^(gantry-.*)/),
  };
}

const placesOfTests = [join(tmpdir(), 'gantry-'), join(tmpdir(), 'runtime-'), '/run/gantry-test-'];
const isOfTest = (path: string) => placesOfTests.some((place) => path.startsWith(place));

function disksOfTests(mounts: string): string[] {
  return mounts
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter(isOfTest);
}

/** The engine whose container a monitor watches, or its bundle where there is no engine. */
function bundleOf(command: string): string[] {
  const [, bundle = ''] = /^\S*conmon .* -b (\S+)/.exec(command) ?? [];
  const [owner = ''] = bundle.split('/containers/');
  return owner.includes('gantry') || isOfTest(owner) ? [owner] : [];
}

function matches(text: string, pattern: RegExp): string[] {
  const found = text.split('\n').flatMap((line) => pattern.exec(line)?.[1] ?? []);
  return [...new Set(found)].sort();
}

function output(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8' });
}

function cgroupNames(): string[] {
  const root = '/sys/fs/cgroup';
  return [...namesIn(root), ...namesIn(root).flatMap((name) => namesIn(`${root}/${name}`))];
}

// Run by itself it prints the state, for the test that compares it with the one after all tests.
if (import.meta.main) process.stdout.write(JSON.stringify(readKernelState()));
