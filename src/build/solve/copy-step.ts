import { hash } from 'node:crypto';
import { codeOf, EngineError, messageOf } from '../../errors/index.ts';
import type { Image } from '../../image/index.ts';
import { type ByteString, byteString } from '../../lib/tar/index.ts';
import type { ChainId } from '../../oci/index.ts';
import { DirectoryTree } from '../context/directory-tree.ts';
import type { SourceTree, TreeEntry } from '../context/source-tree.ts';
import { archiveEntries, isArchive } from '../copy/archive-entries.ts';
import { type CopyTarget, copyEntries } from '../copy/copy-entries.ts';
import { Destination } from '../copy/destination.ts';
import { parseMode } from '../copy/file-mode.ts';
import { type LayerEntry, layerTar } from '../copy/layer-tar.ts';
import { resolveOwner } from '../copy/owner.ts';
import { type CopySource, digestOfSource, findSources } from '../copy/sources.ts';
import type { Effect, InlineFile } from '../plan/apply-instruction.ts';
import { type BuildContext, nowMs } from './build-context.ts';
import { download, isGit, isUrl } from './download.ts';
import type { Section } from './progress.ts';
import { type NewLayer, storedLayer, storeLayer } from './store-layer.ts';

export type CopyEffect = Extract<Effect, { kind: 'copy' }>;

/** COPY or ADD with its sources found; they stay open until it is disposed. */
export interface CopyStep extends AsyncDisposable {
  /** What its result depends on besides the base. */
  readonly inputs: Readonly<Record<string, string>>;
  /** How history tells it: `COPY file:... in /x `. */
  readonly comment: string;
  /** Makes the layer on a parent. `before` is what the same step gave the last time. */
  run(parent: ChainId | undefined, before?: Image): Promise<NewLayer>;
}

/** Finds the sources. Rejects in Docker's words: "COPY failed: ...". */
export async function openCopy(
  context: BuildContext,
  effect: CopyEffect,
  stage: StageVoice,
): Promise<CopyStep> {
  const name = effect.instruction.kind.toUpperCase();
  await using open = new AsyncDisposableStack();
  try {
    const sources = await sourcesOf(context, effect, { open, stage });
    checkCount(sources.length, name, effect.destination);
    const { inputs, label } = await inputsOf(sources, effect);
    const kept = open.move();
    return {
      inputs,
      comment: `${name} ${effect.chown === undefined ? '' : `--chown=${effect.chown} `}${label} in ${effect.destination} `,
      run: async (parent, before) => {
        try {
          return await context.slots.run(
            () => makeLayer(context, effect, { sources, parent, before }),
            context.signal,
          );
        } catch (error) {
          throw failed(name, error);
        }
      },
      [Symbol.asyncDispose]: () => kept.disposeAsync(),
    };
  } catch (error) {
    throw failed(name, error);
  }
}

function checkCount(sources: number, name: string, destination: string): void {
  if (sources === 0) throw new EngineError('invalidArgument', 'no source files were specified');
  if (sources === 1 || destination.endsWith('/')) return;
  throw new EngineError(
    'invalidArgument',
    `When using ${name} with more than one source file, the destination must be a directory and end with a /`,
  );
}

function failed(name: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === 'cancelled' || code === 'internal' || code === 'outOfSpace') return error;
  return new EngineError(code, `${name} failed: ${messageOf(error)}`, { cause: error });
}

/** The stage that copies, and where it tells what it waits for. */
export interface StageVoice {
  readonly index: number;
  readonly progress: Section;
}

interface Opening {
  readonly open: AsyncDisposableStack;
  readonly stage: StageVoice;
}

async function sourcesOf(
  context: BuildContext,
  { instruction, sources, files, destination, checksum }: CopyEffect,
  { open, stage }: Opening,
): Promise<CopySource[]> {
  const tree = await treeOf(context, instruction, { open, stage });
  const found: CopySource[] = [];
  for (const word of sources) {
    if (instruction.kind === 'add' && isGit(word)) {
      throw new EngineError('notImplemented', `adding a git repository is not supported yet: ${word}`);
    }
    if (instruction.kind === 'add' && isUrl(word)) {
      found.push(await remoteSource(context, word, { open, destination, checksum }));
      continue;
    }
    if (checksum !== undefined) {
      throw new EngineError('invalidArgument', 'checksum is only supported for HTTP(S) and Git sources');
    }
    const { parents, exclude } = instruction;
    const isContext = instruction.from === undefined;
    found.push(...(await findSources(tree, [word], { parents, exclude, isContext })));
  }
  return [...found, ...files.map((file) => inlineSource(file, nowMs(context)))];
}

async function treeOf(
  context: BuildContext,
  instruction: CopyEffect['instruction'],
  { open, stage }: Opening,
): Promise<SourceTree> {
  const origin = context.plan.originOf(instruction, stage.index);
  if (origin === undefined) return context.tree;
  const { platform } = context.request;
  const image =
    origin.kind === 'stage'
      ? (await context.stage(origin.index, stage.progress)).image
      : await context.resolveImage(origin.reference, {
          ...(platform === undefined ? {} : { platform }),
          tell: stage.progress.tell,
          signal: context.signal,
        });
  if (image?.chainId === undefined) return emptyTree;
  const view = open.use(await context.stores.snapshots.view(image.chainId, context.signal));
  return new DirectoryTree(view.root);
}

const emptyTree: SourceTree = {
  ownedByRoot: true,
  stat: async () => undefined,
  children: async () => [],
  digest: async () => '',
  read: () => Buffer.alloc(0),
};

/** Docker's name in an image's directory for a download without one. */
const unnamed = byteString('__unnamed__');

interface Remote {
  readonly open: AsyncDisposableStack;
  readonly destination: string;
  readonly checksum: string | undefined;
}

async function remoteSource(
  context: BuildContext,
  url: string,
  { open, destination, checksum }: Remote,
): Promise<CopySource> {
  const file = open.use(await download(url, context));
  if (checksum !== undefined) {
    const digest = `sha256:${await file.tree.digest(file.entry)}`;
    if (digest !== checksum) {
      throw new EngineError('invalidArgument', `digest mismatch ${digest}: ${checksum}`);
    }
  }
  if (destination.endsWith('/') && file.name === '') {
    throw new EngineError('invalidArgument', `cannot determine filename for source ${url}`);
  }
  const source = sourceOfFile(file.tree, file.entry, file.name === '' ? unnamed : file.name);
  return { ...source, isDownload: true };
}

function inlineSource({ name, content }: InlineFile, timeMs: number): CopySource {
  const bytes = Buffer.from(content);
  const entry: TreeEntry = {
    path: byteString(name),
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: bytes.length,
    mtimeNs: timeNs(timeMs),
    linkPath: byteString(''),
    deviceMajor: 0,
    deviceMinor: 0,
    attributes: new Map(),
  };
  const tree: SourceTree = {
    ownedByRoot: true,
    stat: async () => entry,
    children: async () => [],
    digest: async () => hash('sha256', bytes, 'hex'),
    read: () => bytes,
  };
  return sourceOfFile(tree, entry, byteString(name));
}

function sourceOfFile(tree: SourceTree, entry: TreeEntry, name: ByteString): CopySource {
  return { tree, entry, name, keep: byteString(''), excluded: () => false, isDownload: false };
}

async function inputsOf(
  sources: readonly CopySource[],
  effect: CopyEffect,
): Promise<{ inputs: Record<string, string>; label: string }> {
  const { instruction, destination, chown, chmod } = effect;
  const { unpack, parents, exclude } = instruction;
  const inputs: Record<string, string> = {
    instruction: JSON.stringify([instruction.kind, destination, { chown, chmod, unpack, parents, exclude }]),
  };
  const copied: string[] = [];
  const kinds: string[] = [];
  for (const [index, source] of sources.entries()) {
    const { digest, kind, parts } = await digestOfSource(source);
    // Where a source was found decides its copy's name and whether an archive unpacks, so it belongs to the key.
    const place = `${source.keep}\0${kind === 'dir' ? '' : source.name}`;
    const found = `${place}\0${digest}${source.isDownload ? '\0download' : ''}`;
    inputs[`source ${index}`] = found;
    for (const [path, part] of parts) inputs[`file ${path}`] = part.slice(0, 16);
    copied.push(found);
    kinds.push(kind);
  }
  // History tells owner and destination in words, and all else that decides the layer by this digest alone.
  const digest = hash('sha256', JSON.stringify([{ chmod, unpack, parents, exclude }, ...copied]), 'hex');
  const [kind = ''] = kinds;
  return { inputs, label: `${kinds.length === 1 ? kind : 'multi'}:${digest}` };
}

interface LayerWork {
  readonly sources: readonly CopySource[];
  readonly parent: ChainId | undefined;
  readonly before: Image | undefined;
}

async function makeLayer(
  context: BuildContext,
  effect: CopyEffect,
  { sources, parent, before }: LayerWork,
): Promise<NewLayer> {
  const { stores, lease, signal } = context;
  await using view = parent === undefined ? undefined : await stores.snapshots.view(parent, signal);
  const image = view === undefined ? undefined : new DirectoryTree(view.root);
  const { chown, chmod, destination, instruction } = effect;
  const target: Omit<CopyTarget, 'destination'> = {
    path: destination,
    ...(chown === undefined ? {} : { owner: await resolveOwner(chown, image) }),
    ...(chmod === undefined ? {} : { mode: parseMode(chmod) }),
    mtimeNs: timeNs(nowMs(context)),
  };
  const archives = new Set<CopySource>();
  if (instruction.kind === 'add') {
    for (const source of sources) if (await isUnpacked(source, instruction)) archives.add(source);
  }
  const tar = () =>
    layerTar(layerEntries(sources, { archives, target: { ...target, destination: new Destination(image) } }));
  const place = { parent, lease, signal };
  const stored = before === undefined ? undefined : await storedLayer(stores, tar(), { ...place, before });
  return stored ?? (await storeLayer(stores, tar(), place));
}

/** A local archive unpacks by itself, a downloaded one when told to. */
async function isUnpacked(
  { tree, entry, isDownload }: CopySource,
  { unpack = !isDownload }: CopyEffect['instruction'],
): Promise<boolean> {
  return unpack && entry.type === 'file' && isArchive(tree.read(entry));
}

async function* layerEntries(
  sources: readonly CopySource[],
  options: { readonly archives: ReadonlySet<CopySource>; readonly target: CopyTarget },
): AsyncGenerator<LayerEntry, void, undefined> {
  const { archives, target } = options;
  const plain = sources.filter((source) => !archives.has(source));
  if (plain.length > 0) yield* copyEntries(plain, target);
  for (const { tree, entry } of archives) yield* archiveEntries(tree.read(entry), target);
}

function timeNs(timeMs: number): bigint {
  return BigInt(Math.floor(timeMs / 1000)) * 1_000_000_000n;
}
