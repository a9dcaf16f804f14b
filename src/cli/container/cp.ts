import { lstatSync, type Stats, statSync } from 'node:fs';
import { dirname, posix, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { PathStat } from '../../api/index.ts';
import type { Client } from '../../client/index.ts';
import { EngineError, hasErrno, isCode } from '../../errors/index.ts';
import { exitOf, failure, start } from '../../lib/process.ts';
import { type Context, defineCommand } from '../command.ts';
import { bool } from '../flags.ts';
import { humanSize } from '../output/units.ts';
import { packTree } from '../pack.ts';
import { extractArguments, parseCopySpec, planCopyIn, wantsContents } from './copy-paths.ts';

interface CopyFlags {
  readonly archive: boolean;
  readonly 'follow-link': boolean;
  readonly quiet: boolean;
}

export const cpCommand = defineCommand({
  usage: '[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\ncp [OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH',
  summary: 'Copy files/folders between a container and the local filesystem',
  details: `Use '-' as the source to read a tar archive from stdin
and extract it to a directory destination in a container.
Use '-' as the destination to stream a tar archive of a
container source to stdout.`,
  aliases: ['container cp', 'cp'],
  minArgs: 2,
  maxArgs: 2,
  flags: {
    archive: bool('Archive mode (copy all uid/gid information)', { short: 'a' }),
    'follow-link': bool('Always follow symbol link in SRC_PATH', { short: 'L' }),
    quiet: bool(
      'Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached',
      { short: 'q' },
    ),
  },
  async run({ context, values, args }) {
    const [from, to] = [parseCopySpec(args[0] ?? ''), parseCopySpec(args[1] ?? '')];
    if (from.path === '') throw invalid('source can not be empty');
    if (to.path === '') throw invalid('destination can not be empty');
    const client = await context.client();
    if (from.container !== undefined && to.container !== undefined) {
      throw invalid('copying between containers is not supported');
    }
    if (from.container !== undefined) {
      await copyOut(context, client, {
        container: from.container,
        source: from.path,
        target: to.path,
        flags: values,
      });
    } else if (to.container !== undefined) {
      await copyIn(context, client, {
        container: to.container,
        source: from.path,
        target: to.path,
        flags: values,
      });
    } else throw invalid('must specify at least one container source');
  },
});

interface Copy {
  readonly container: string;
  readonly source: string;
  readonly target: string;
  readonly flags: CopyFlags;
}

function invalid(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}

/** Go's os.ModeDir and os.ModeSymlink in the mode of a PathStat. */
const goDirectory = 2 ** 31;
const goSymlink = 2 ** 27;
const hasBit = (mode: number, bit: number) => Math.floor(mode / bit) % 2 === 1;

async function copyIn(context: Context, client: Client, copy: Copy): Promise<void> {
  const { container, source, flags } = copy;
  let target = copy.target;
  let stat = await statIfThere(client, container, target);
  if (stat !== undefined && hasBit(stat.mode, goSymlink)) {
    target = posix.resolve(posix.dirname(target), stat.linkTarget);
    stat = await statIfThere(client, container, target);
  }
  const options = { noOverwriteDirNonDir: true, ...(flags.archive ? { copyUIDGID: true } : {}) };
  if (source === '-') {
    if (stat !== undefined && !hasBit(stat.mode, goDirectory)) {
      throw invalid(`destination "${container}:${copy.target}" must be a directory`);
    }
    await client.containers.putArchive(container, target, context.stdin, options);
    return;
  }
  const follow = flags['follow-link'] || wantsContents(source) || source.endsWith('/');
  const local = localStat(source, follow);
  const plan = planCopyIn({
    source: resolve(source),
    contents: wantsContents(source),
    sourceIsDirectory: local.isDirectory(),
    target,
    targetKind: stat === undefined ? 'missing' : hasBit(stat.mode, goDirectory) ? 'directory' : 'other',
  });
  const tar = packTree(resolve(source), { name: plan.name, followTop: follow });
  const counted = counter(tar);
  await client.containers.putArchive(container, plan.directory, tar, options);
  tellCopied(context, flags, counted(), `${container}:${copy.target}`);
}

async function copyOut(context: Context, client: Client, copy: Copy): Promise<void> {
  const { container, flags, target } = copy;
  let source = copy.source;
  if (flags['follow-link']) {
    const stat = await client.containers.statPath(container, source);
    if (hasBit(stat.mode, goSymlink)) source = posix.resolve(posix.dirname(source), stat.linkTarget);
  }
  const contents = wantsContents(source);
  const asked = contents ? source.replace(/\/\.$/, '') || '/' : source;
  const { stat, tar } = await client.containers.getArchive(container, asked);
  if (target === '-') {
    await pipeline(tar, context.stdout, { end: false });
    return;
  }
  const counted = counter(tar);
  await extract(
    tar,
    extractArguments({
      rootName: stat.name,
      name: source === copy.source ? stat.name : posix.basename(copy.source),
      contents: contents || stat.name === '/',
      sourceIsDirectory: hasBit(stat.mode, goDirectory),
      target,
      targetKind: localKind(target),
      parentIsDirectory: localKind(dirname(resolve(target))) === 'directory',
      keepOwner: flags.archive,
    }),
  );
  tellCopied(context, flags, counted(), target);
}

async function extract(tar: Readable, args: readonly string[]): Promise<void> {
  const child = start('tar', args, { stdio: ['pipe', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  const exited = exitOf('tar', child);
  if (child.stdin === null) throw new EngineError('internal', 'tar was started without a pipe');
  const [sent, code] = await Promise.allSettled([pipeline(tar, child.stdin), exited]);
  if (code.status === 'rejected') throw code.reason;
  if (code.value !== 0) throw failure('tar', args, code.value, complaint);
  if (sent.status === 'rejected') throw sent.reason;
}

async function statIfThere(client: Client, container: string, path: string): Promise<PathStat | undefined> {
  try {
    return await client.containers.statPath(container, path);
  } catch (error) {
    if (!isCode(error, 'notFound')) throw error;
    // HEAD has no body: an unknown container looks the same as a missing path, so ask for the container itself.
    await client.containers.inspect(container);
    return undefined;
  }
}

function localStat(path: string, follow: boolean): Stats {
  try {
    return follow ? statSync(path) : lstatSync(path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT'))
      throw new EngineError('notFound', `lstat ${resolve(path)}: no such file or directory`, {
        cause: error,
      });
    throw error;
  }
}

function localKind(path: string): 'missing' | 'directory' | 'other' {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return 'missing';
  return stats.isDirectory() ? 'directory' : 'other';
}

function counter(stream: Readable): () => number {
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => (bytes += chunk.length));
  stream.pause();
  return () => bytes;
}

function tellCopied(context: Context, flags: CopyFlags, bytes: number, where: string): void {
  if (flags.quiet || !context.stdout.isTTY) return;
  context.stderr.write(`Successfully copied ${humanSize(bytes, 3)} to ${where}\n`);
}
