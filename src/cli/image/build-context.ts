import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { EngineError, hasErrno } from '../../errors/index.ts';
import { ignoreMatcher, parseIgnoreFile } from '../../lib/dockerignore/index.ts';
import type { HttpGet } from '../../lib/http-get.ts';
import { blockSize, byteString, encodeTarEntry, paddingOf, tarEnd } from '../../lib/tar/index.ts';
import { packTree } from '../pack.ts';

/** What is sent to `POST /build`. */
export interface BuildContext {
  readonly tar?: Readable;
  /** Git repository the daemon fetches instead. */
  readonly remote?: string;
  /** Path of the Dockerfile in the context. */
  readonly dockerfile: string;
}

function invalid(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}

/** Name a Dockerfile gets in the context that comes from outside of it. */
function outsideName(): string {
  return `.dockerfile.${crypto.randomUUID().replaceAll('-', '').slice(0, 20)}`;
}

/**
 * Reads `PATH | URL | -` and `-f`. A directory is packed without what .dockerignore names (but for the Dockerfile and
 * .dockerignore themselves); what `-` and a URL give is a tar, or a Dockerfile alone. Throws Docker's texts.
 */
export async function openBuildContext(
  source: string,
  file: string,
  { stdin, get }: { readonly stdin: Readable; readonly get: HttpGet },
): Promise<BuildContext> {
  if (source === '-') {
    if (file === '-')
      throw invalid("invalid argument: can't use stdin for both build context and dockerfile");
    return fromStream(stdin, file);
  }
  if (/^git:\/\/|^git@|^github\.com\/|^https?:\/\/.*\.git(#.*)?$/.test(source)) {
    return { remote: source, dockerfile: file };
  }
  if (/^https?:\/\//.test(source)) return fromUrl(source, file, get);
  return fromDirectory(source, file, stdin);
}

async function fromUrl(url: string, file: string, get: HttpGet): Promise<BuildContext> {
  if (file === '-') throw invalid("can't use stdin for the Dockerfile of a build context from a URL");
  let body: Readable;
  try {
    ({ body } = await get(url, new AbortController().signal));
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    const text = `unable to prepare context: unable to download remote context ${url}: ${error.message}`;
    throw new EngineError(error.code, text, { cause: error });
  }
  return fromStream(body, file);
}

async function fromStream(stream: Readable, file: string): Promise<BuildContext> {
  const head = await readHead(stream, blockSize);
  if (head.length === 0) throw invalid('the build context is empty: send a tar archive or a Dockerfile');
  const rest = Readable.from(restOf(head, stream), { objectMode: false });
  if (isArchive(head)) return { tar: rest, dockerfile: file || 'Dockerfile' };
  if (file !== '')
    throw invalid('ambiguous Dockerfile source: both stdin and flag correspond to Dockerfiles');
  const content = await collect(rest);
  return {
    tar: Readable.from([Buffer.concat([fileEntry('Dockerfile', content), tarEnd])]),
    dockerfile: 'Dockerfile',
  };
}

function fromDirectory(source: string, file: string, stdin: Readable): Promise<BuildContext> | BuildContext {
  let isDirectory: boolean;
  try {
    isDirectory = statSync(source).isDirectory();
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
    throw invalid(`unable to prepare context: path ${JSON.stringify(source)} not found`);
  }
  if (!isDirectory)
    throw invalid(`unable to prepare context: context must be a directory: ${resolve(source)}`);
  if (file === '-') return withDockerfileFromStdin(source, stdin);
  const path = file === '' ? findDockerfile(source) : resolve(file);
  if (!existsSync(path)) {
    throw invalid(
      `unable to prepare context: unable to evaluate symlinks in Dockerfile path: lstat ${path}: no such file or directory`,
    );
  }
  // The daemon follows no link out of the context.
  const inside = relative(realpathSync(source), realpathSync(path));
  if (inside === '..' || inside.startsWith('../') || isAbsolute(inside)) {
    const name = outsideName();
    return {
      tar: contextTar(source, name, { outside: readFileSync(path), ignoreBase: path }),
      dockerfile: name,
    };
  }
  return { tar: contextTar(source, inside, { ignoreBase: path }), dockerfile: inside };
}

async function withDockerfileFromStdin(source: string, stdin: Readable): Promise<BuildContext> {
  const name = outsideName();
  return { tar: contextTar(source, name, { outside: await collect(stdin) }), dockerfile: name };
}

/** `Dockerfile`, or `dockerfile` where only that is there. */
function findDockerfile(directory: string): string {
  const usual = join(resolve(directory), 'Dockerfile');
  const lower = join(resolve(directory), 'dockerfile');
  return !existsSync(usual) && existsSync(lower) ? lower : usual;
}

/** `outside` is the text of a Dockerfile that is not in the directory. */
function contextTar(
  directory: string,
  dockerfile: string,
  { outside, ignoreBase }: { readonly outside?: Buffer; readonly ignoreBase?: string },
): Readable {
  const ignoreText = readIgnoreFile(directory, ignoreBase);
  const patterns = parseIgnoreFile(ignoreText);
  const matches = patterns.length === 0 ? undefined : ignoreMatcher(patterns);
  const ignoreName = `${dockerfile}.dockerignore`;
  const always = new Set([dockerfile, '.dockerignore', ignoreName]);
  const tree = packTree(directory, {
    name: '',
    asRoot: true,
    followTop: true,
    ...(matches === undefined ? {} : { ignores: (path: string) => !always.has(path) && matches(path) }),
    hasExceptions: patterns.some((pattern) => pattern.startsWith('!')) || dockerfile.includes('/'),
  });
  if (outside === undefined) return tree;
  const ignoreFile = Buffer.from(`${ignoreText}\n${dockerfile}\n${ignoreName}\n`);
  const extra = Buffer.concat([fileEntry(dockerfile, outside), fileEntry(ignoreName, ignoreFile)]);
  return Readable.from(restOf(extra, tree), { objectMode: false });
}

/** `<Dockerfile>.dockerignore` goes before `.dockerignore`; '' without either. */
function readIgnoreFile(directory: string, dockerfile: string | undefined): string {
  const names = [
    ...(dockerfile === undefined ? [] : [`${dockerfile}.dockerignore`]),
    join(directory, '.dockerignore'),
  ];
  for (const name of names) {
    try {
      return readFileSync(name, 'utf8');
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
  }
  return '';
}

function fileEntry(name: string, content: Buffer): Buffer {
  const header = encodeTarEntry({ path: byteString(name), type: 'file', mode: 0o600, size: content.length });
  return Buffer.concat([header, content, Buffer.alloc(paddingOf(content.length))]);
}

async function* restOf(head: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield head;
  yield* rest;
}

async function readHead(stream: Readable, size: number): Promise<Buffer> {
  let head = Buffer.alloc(0);
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    head = Buffer.concat([head, chunk as Buffer]);
    if (head.length >= size) break;
  }
  return head;
}

async function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A tar by its magic, or something compressed: gzip, bzip2, xz, zstd. */
function isArchive(head: Buffer): boolean {
  if (head.toString('latin1', 257, 262) === 'ustar') return true;
  const magics = ['1f8b', '425a68', 'fd377a585a00', '28b52ffd'];
  return magics.some((magic) => head.subarray(0, magic.length / 2).toString('hex') === magic);
}
