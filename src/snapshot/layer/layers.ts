import { createHash } from 'node:crypto';
import { linkSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { addAbortSignal, Readable } from 'node:stream';
import { EngineError } from '../../errors/index.ts';
import { decompress } from '../../lib/decompress.ts';
import { type ByteString, bufferOf, tarEnd, textOf } from '../../lib/tar/index.ts';
import { type ChainId, chainIdOf, type DiffId } from '../../oci/index.ts';
import type { LayerTree, OverlaySnapshots } from '../overlay/overlay-snapshots.ts';
import type { AppliedLayer, ApplyOptions, Layers, StagedLayer } from '../snapshotter.ts';
import { treeUsage } from '../tree-usage.ts';
import { copyAttributes, lstatBeneath } from './beneath.ts';
import { parentOf } from './names.ts';
import { packTar, unpackTar, writeTo } from './tar-program.ts';
import { ToOci } from './to-oci.ts';
import { type LinkBelow, ToOverlay } from './to-overlay.ts';
import { verifyTree } from './verify-tree.ts';

/** More than this in holes (a lastlog for a huge user id) is packed as holes. */
const holesWorthKeeping = 16 << 20;

export function createLayers(snapshots: OverlaySnapshots): Layers {
  return {
    apply: (tar, parent, options = {}) => {
      const known = options.diffId === undefined ? undefined : chainIdOf(parent, options.diffId);
      if (known !== undefined && snapshots.stat(known) !== undefined) {
        return verify(tar, parent, options);
      }
      return unpack(snapshots, { tar, parent }, options);
    },
    stage: (tar, options) => stage(snapshots, tar, options),
    verify: async (name, tar, options) => {
      const { root, parent } = snapshots.layerTree(name);
      return verifyTree({ root, tar, base: parent === undefined, ...options });
    },
    restore: async (name, tar, options) => {
      const { parent } = snapshots.layerTree(name);
      await using staged = await stage(snapshots, tar, { ...options, base: parent === undefined });
      options.signal?.throwIfAborted();
      await staged.replace(name, parent);
    },
    pack: (key, signal) => Readable.from(packChanges(snapshots, key, signal), { objectMode: false }),
    packTree: (key, signal) => packWhole(snapshots, key, signal),
  };
}

interface Layer {
  readonly tar: Readable;
  readonly parent: ChainId | undefined;
}

async function verify(
  tar: Readable,
  parent: ChainId | undefined,
  options: ApplyOptions,
): Promise<AppliedLayer> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of plainBytes(tar, options.signal)) {
    hash.update(chunk);
    size += chunk.length;
  }
  const diffId = checkedDiffId(hash.digest('hex'), options.diffId);
  return { diffId, chainId: chainIdOf(parent, diffId), size };
}

async function unpack(
  snapshots: OverlaySnapshots,
  { tar, parent }: Layer,
  options: ApplyOptions,
): Promise<AppliedLayer> {
  await using staged = await stage(snapshots, tar, { ...options, base: parent === undefined });
  options.signal?.throwIfAborted();
  return await staged.commit(parent);
}

async function stage(
  snapshots: OverlaySnapshots,
  tar: Readable,
  options: ApplyOptions & { readonly base: boolean },
): Promise<Staged> {
  const tree = snapshots.createTree();
  try {
    const transform = new ToOverlay({ base: options.base });
    const hash = createHash('sha256');
    let size = 0;
    {
      await using program = unpackTar(tree.root);
      for await (const chunk of plainBytes(tar, options.signal)) {
        hash.update(chunk);
        size += chunk.length;
        for (const bytes of transform.push(chunk)) {
          if (!(await writeTo(program.input, bytes))) await stopped(program.finished());
        }
      }
      program.input.end(transform.finish());
      await program.finished();
    }
    const diffId = checkedDiffId(hash.digest('hex'), options.diffId);
    return new Staged(snapshots, { tree, transform, diffId, size });
  } catch (error) {
    snapshots.dropTree(tree);
    throw error;
  }
}

interface UnpackedTree {
  readonly tree: LayerTree;
  readonly transform: ToOverlay;
  readonly diffId: DiffId;
  readonly size: number;
}

/** A whole tree that nobody knows of yet. */
class Staged implements StagedLayer {
  readonly diffId: DiffId;
  readonly #snapshots: OverlaySnapshots;
  readonly #layer: UnpackedTree;
  #open = true;

  constructor(snapshots: OverlaySnapshots, layer: UnpackedTree) {
    this.diffId = layer.diffId;
    this.#snapshots = snapshots;
    this.#layer = layer;
  }

  async commit(parent: ChainId | undefined): Promise<AppliedLayer> {
    const { tree, transform, diffId, size } = this.#layer;
    const chainId = chainIdOf(parent, diffId);
    await this.#settle(parent);
    await this.#snapshots.commitTree(tree, {
      name: chainId,
      ...(parent === undefined ? {} : { parent }),
      usage: transform.usage,
    });
    this.#open = false;
    return { diffId, chainId, size };
  }

  /** Takes the place of the tree that the committed layer has. */
  async replace(name: ChainId, parent: ChainId | undefined): Promise<void> {
    await this.#settle(parent);
    await this.#snapshots.replaceTree(this.#layer.tree, name, this.#layer.transform.usage);
    this.#open = false;
  }

  async #settle(parent: ChainId | undefined): Promise<void> {
    const { tree, transform } = this.#layer;
    if (parent === undefined) return;
    if (!transform.hasRoot) this.#snapshots.resemble(tree, parent);
    await settle(this.#snapshots, { tree, parent, transform });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#open) this.#snapshots.dropTree(this.#layer.tree);
    this.#open = false;
  }
}

async function* plainBytes(tar: Readable, signal?: AbortSignal): AsyncGenerator<Buffer, void, undefined> {
  if (signal !== undefined) addAbortSignal(signal, tar);
  const { stream } = await decompress(tar);
  for await (const chunk of stream) yield chunk as Buffer;
}

/** tar stopped reading: its failure is the reason, if it has one. */
async function stopped(finished: Promise<void>): Promise<never> {
  await finished;
  throw new EngineError('invalidArgument', 'The layer goes on after the end of its archive');
}

/** What can be done only when the whole layer is there, since it needs the layers below. */
async function settle(
  snapshots: OverlaySnapshots,
  work: { readonly tree: LayerTree; readonly parent: ChainId; readonly transform: ToOverlay },
): Promise<void> {
  const { tree, parent, transform } = work;
  const { linksBelow, impliedDirectories } = transform;
  if (linksBelow.length > 0) {
    await snapshots.withTreeMounted(tree, parent, async (root) => {
      for (const link of linksBelow) linkBelow(root, link);
    });
  }
  if (impliedDirectories.length === 0) return;
  await using below = await snapshots.view(parent);
  for (const path of impliedDirectories) {
    const from = lstatBeneath(below.root, path);
    const to = lstatBeneath(tree.root, path);
    if (from?.isDirectory() === true && to?.isDirectory() === true)
      copyAttributes(below.root, tree.root, path);
  }
}

function linkBelow(root: string, link: LinkBelow): void {
  const target = lstatBeneath(root, link.target);
  if (target === undefined || target.isDirectory()) {
    const [name, to] = [textOf(link.path), textOf(link.target)].map((text) => JSON.stringify(text));
    throw new EngineError(
      'invalidArgument',
      `Refusing the entry ${name}: it links to ${to}, which is not there`,
    );
  }
  makeDirectories(root, parentOf(link.path));
  if (lstatBeneath(root, link.path) !== undefined) rmSync(pathIn(root, link.path));
  linkSync(pathIn(root, link.target), pathIn(root, link.path));
}

/** As tar would: a directory of the layer takes the place of any symlink or file below. */
function makeDirectories(root: string, path: ByteString): void {
  if (path === '') return;
  makeDirectories(root, parentOf(path));
  const present = lstatBeneath(root, path);
  if (present?.isDirectory() === true) return;
  if (present !== undefined) rmSync(pathIn(root, path));
  mkdirSync(pathIn(root, path), { mode: 0o755 });
}

function pathIn(root: string, path: ByteString): Buffer {
  return Buffer.concat([Buffer.from(`${root}/`), bufferOf(path)]);
}

function checkedDiffId(hex: string, want: DiffId | undefined): DiffId {
  const diffId = `sha256:${hex}` as DiffId;
  if (want !== undefined && want !== diffId) {
    throw new EngineError('invalidArgument', `The layer's diffID is ${diffId}, not ${want}`);
  }
  return diffId;
}

async function* packChanges(
  snapshots: OverlaySnapshots,
  key: string,
  signal?: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  using _whole = snapshots.hold(key);
  const { UpperDir: upper } = snapshots.paths(key);
  const { holes } = await treeUsage(upper, signal);
  await using below = await snapshots.lowerView(key);
  const transform = new ToOci({
    hasDirectoryBelow: (path) =>
      below !== undefined && lstatBeneath(below.root, path)?.isDirectory() === true,
  });
  const attributes = ['security.capability', 'user.*', 'trusted.overlay.opaque'];
  for await (const chunk of packed(upper, { attributes, sparse: holes > holesWorthKeeping, signal })) {
    yield* transform.push(chunk);
  }
  yield transform.finish();
}

async function packWhole(snapshots: OverlaySnapshots, key: string, signal?: AbortSignal): Promise<Readable> {
  const tree = await snapshots.openMounted(key);
  const root = `/proc/${process.pid}/fd/${tree.fd}`;
  const chunks = packed(root, { attributes: ['security.capability', 'user.*'], sparse: false, signal });
  return Readable.from(chunks, { objectMode: false }).once('close', () => {
    tree[Symbol.dispose]();
  });
}

interface PackedOptions {
  readonly attributes: readonly string[];
  readonly sparse: boolean;
  readonly signal: AbortSignal | undefined;
}

async function* packed(root: string, options: PackedOptions): AsyncGenerator<Buffer, void, undefined> {
  const names = readdirSync(root, { encoding: 'buffer' }).sort((a, b) => Buffer.compare(a, b));
  if (names.length === 0) {
    yield tarEnd;
    return;
  }
  await using program = packTar(root, { ...options, names });
  for await (const chunk of program.output) {
    options.signal?.throwIfAborted();
    yield chunk as Buffer;
  }
  await program.finished();
}
