import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import type { ProgressMessage } from '../../src/api/index.ts';
import {
  type Builder,
  type BuildListener,
  type BuildRequest,
  createBuilder,
  openBuildCache,
  type StepRunner,
} from '../../src/build/index.ts';
import { openContentStore } from '../../src/content/index.ts';
import { createImages, type Images } from '../../src/image/index.ts';
import { createHttpGet } from '../../src/lib/http-get.ts';
import { mount, unmount } from '../../src/lib/native.ts';
import { exitOf, start } from '../../src/lib/process.ts';
import { byteString, encodeTarEntry, type NewTarEntry, paddingOf, tarEnd } from '../../src/lib/tar/index.ts';
import { openMetadata } from '../../src/metadata/index.ts';
import type { ImageId } from '../../src/oci/index.ts';
import { openSnapshots, type Snapshots } from '../../src/snapshot/index.ts';
import { noProxies } from './no-proxies.ts';

interface Bench {
  readonly builder: Builder;
  /** Another builder on the same stores. */
  readonly withSteps: (steps: StepRunner) => Builder;
  readonly images: Images;
  readonly snapshots: Snapshots['snapshots'];
  readonly cache: ReturnType<typeof openBuildCache>;
  readonly leases: () => number;
  readonly runs: () => number;
}

/** A builder on real stores below a new root, with a base image `busybox` of the host's static busybox. */
export async function openBench(t: TestContext): Promise<Bench> {
  const root = mkdtempSync(join(tmpdir(), 'gantry-build-'));
  const stack = new AsyncDisposableStack();
  t.after(() => stack.disposeAsync());
  stack.defer(() => rm(root, { recursive: true, force: true }));
  const metadata = stack.use(openMetadata(join(root, 'gantry.db')));
  const content = await openContentStore({ directory: join(root, 'content') });
  const { snapshots, layers } = stack.use(await openSnapshots({ root, metadata }));
  const cache = openBuildCache(metadata);
  const cached = () => cache.stepImages();
  const building = () => cache.live();
  const images = stack.use(
    createImages({ metadata, content, snapshots, layers, users: () => [], cached, building }),
  );
  await importBusybox(images);
  let runs = 0;
  const chroot = chrootRunner(snapshots);
  const steps: StepRunner = {
    run: (step, signal) => {
      runs += 1;
      return chroot.run(step, signal);
    },
  };
  const stores = { content, snapshots, layers, images };
  const httpGet = stack.use(createHttpGet(noProxies));
  const withSteps = (runner: StepRunner) =>
    createBuilder({ root, metadata, stores, cache, steps: runner, httpGet });
  const builder = withSteps(steps);
  return {
    builder,
    withSteps,
    images,
    snapshots,
    cache,
    leases: () => metadata.leases.held().length,
    runs: () => runs,
  };
}

async function importBusybox(images: Images): Promise<void> {
  const files = [
    ...['bin/', 'etc/', 'tmp/', 'proc/'].map((path) => ({
      path: byteString(path),
      type: 'directory' as const,
    })),
    ...['sh', 'cat', 'echo', 'touch', 'rm', 'ls', 'mktemp', 'chmod', 'sleep', 'stat', 'readlink', 'id'].map(
      (name) => ({
        path: byteString(`bin/${name}`),
        type: 'symlink' as const,
        linkPath: byteString('busybox'),
      }),
    ),
    {
      path: byteString('etc/passwd'),
      type: 'file' as const,
      text: 'root:x:0:0::/:/bin/sh\nweb:x:33:44::/:/bin/sh\n',
    },
    { path: byteString('etc/group'), type: 'file' as const, text: 'root:x:0:\nstaff:x:50:\n' },
    { path: byteString('lib'), type: 'symlink' as const, linkPath: byteString('usr/lib') },
    { path: byteString('usr/lib/'), type: 'directory' as const, mode: 0o750 },
    {
      path: byteString('bin/busybox'),
      type: 'file' as const,
      mode: 0o755,
      text: readFileSync('/bin/busybox'),
    },
  ];
  await images.importRootfs(Readable.from([archiveOf(files)]), {
    reference: 'busybox:latest',
    changes: ['CMD ["/bin/sh"]'],
  });
}

export type Member = Omit<NewTarEntry, 'size'> & { readonly text?: string | Buffer };

export function archiveOf(members: readonly Member[]): Buffer {
  const blocks = members.flatMap(({ text = '', ...entry }) => {
    const content = Buffer.from(text);
    return [
      encodeTarEntry({ ...entry, size: content.length }),
      content,
      Buffer.alloc(paddingOf(content.length)),
    ];
  });
  return Buffer.concat([...blocks, tarEnd]);
}

/** Runs steps with chroot: enough of a container for a build. */
export function chrootRunner(snapshots: Snapshots['snapshots']): StepRunner {
  return {
    run: async (step, signal) => {
      const root = await snapshots.mount(step.snapshotKey);
      const proc = join(root, 'proc');
      mount({ source: 'proc', target: proc, type: 'proc' });
      try {
        const [user = '0', group] = (step.user || '0').split(':');
        const child = start('chroot', [`--userspec=${user}:${group ?? user}`, root, ...step.args], {
          stdio: ['ignore', 'pipe', 'pipe'],
          env: Object.fromEntries(
            step.env.map((entry) => [entry.split('=', 1)[0] ?? '', entry.replace(/^[^=]*=/, '')] as const),
          ),
          signal,
        });
        child.on('error', () => undefined);
        const hear = async (stream: 'stdout' | 'stderr') => {
          for await (const data of child[stream] ?? []) await step.onOutput(stream, data as Buffer);
        };
        const [exit, ...heard] = await Promise.allSettled([
          exitOf('chroot', child),
          hear('stdout'),
          hear('stderr'),
        ]);
        for (const outcome of [exit, ...heard]) if (outcome.status === 'rejected') throw outcome.reason;
        return exit.status === 'fulfilled' ? exit.value : -1;
      } finally {
        unmount(proc);
      }
    },
  };
}

export type Files = Readonly<Record<string, string | Member>>;

function contextOf(files: Files): Readable {
  const members = Object.entries(files).map(([path, file]) =>
    typeof file === 'string' ? { path: byteString(path), type: 'file' as const, text: file } : file,
  );
  return Readable.from([archiveOf(members)]);
}

export function requestOf(files: Files, options: Partial<BuildRequest> = {}): BuildRequest {
  return {
    context: contextOf(files),
    dockerfile: 'Dockerfile',
    tags: [],
    buildArgs: {},
    labels: {},
    target: '',
    noCache: false,
    cacheFrom: [],
    pull: false,
    credentials: new Map(),
    quiet: false,
    networkMode: 'default',
    extraHosts: [],
    shmSize: 0,
    ulimits: [],
    memory: 0,
    memorySwap: 0,
    cpuQuota: 0,
    cpuPeriod: 0,
    cpuShares: 0,
    cpusetCpus: '',
    cpusetMems: '',
    cgroupParent: '',
    ...options,
  };
}

/** Takes all at once. */
export function listening(tell: (message: ProgressMessage) => void): BuildListener {
  return { tell, ready: async () => undefined };
}

interface Built {
  readonly id: ImageId;
  readonly text: string;
  readonly messages: readonly ProgressMessage[];
}

export async function build(bench: Bench, files: Files, options: Partial<BuildRequest> = {}): Promise<Built> {
  const messages: ProgressMessage[] = [];
  const id = await bench.builder.build(
    requestOf(files, options),
    listening((message) => messages.push(message)),
    new AbortController().signal,
  );
  return { id, messages, text: messages.map((message) => message.stream ?? '').join('') };
}

export async function fails(bench: Bench, files: Files, options: Partial<BuildRequest> = {}): Promise<Error> {
  try {
    await build(bench, files, options);
  } catch (error) {
    assert.ok(error instanceof Error);
    return error;
  }
  throw new Error('the build did not fail');
}

/** Shows the file system of an image to `look`. */
export async function inImage<T>(bench: Bench, id: ImageId, look: (root: string) => T): Promise<T> {
  const { chainId } = bench.images.resolve(id);
  assert.ok(chainId !== undefined);
  await using view = await bench.snapshots.view(chainId);
  return look(view.root);
}
