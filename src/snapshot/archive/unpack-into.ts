import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  type Stats,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { addAbortSignal, type Readable } from 'node:stream';
import { codeOf, EngineError, errnoOf, hasErrno } from '../../errors/index.ts';
import { makeNode, setTimes, setTimesOf, setXattrOf } from '../../lib/file-calls.ts';
import { type OpenFile, openInRoot, openPath } from '../../lib/open-in-root.ts';
import { run } from '../../lib/run.ts';
import {
  type ByteString,
  bufferOf,
  byteString,
  cleanPath,
  readTar,
  type TarEntry,
  textOf,
  xattrsOf,
} from '../../lib/tar/index.ts';
import { baseOf, parentOf } from '../layer/names.ts';

export interface UnpackOptions {
  /** Fail instead of replacing a directory with something else or the reverse. Default false. */
  readonly noOverwriteDirNonDir?: boolean;
  /** Owns everything unpacked; default the numbers in the archive. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  readonly signal?: AbortSignal;
}

/** A directory as a process with the root directory `root` names it. */
export interface PlaceInRoot {
  readonly root: string;
  readonly path: string;
}

/**
 * Unpacks a plain tar into a directory of a tree that others may be changing, such as a running container's. Existing
 * symlinks are followed inside `root` only; nothing outside it can be read or written.
 *
 * Existing files are replaced, directories merged. Rejects with `invalidArgument` and the entry's name for entries
 * that cannot be; what was unpacked before stays. With ENOENT or ENOTDIR when there is no such directory. The root is
 * opened before the first await.
 */
export async function unpackInto(
  place: PlaceInRoot,
  tar: Readable,
  options: UnpackOptions = {},
): Promise<void> {
  const { signal } = options;
  if (signal !== undefined) addAbortSignal(signal, tar);
  using unpacker = new Unpacker(place, options);
  unpacker.assertDirectory();
  for await (const part of readTar(tar)) {
    if (part.kind === 'entry') await unpacker.entry(part.entry);
    else if (part.kind === 'data') unpacker.data(part.bytes);
  }
  unpacker.finish();
}

interface OpenEntry {
  readonly entry: TarEntry;
  readonly fd: number;
}

class Unpacker implements Disposable {
  readonly #options: UnpackOptions;
  readonly #root: OpenFile;
  readonly #base: string;
  readonly #directories: TarEntry[] = [];
  #parent: { readonly path: ByteString; readonly file: OpenFile } | undefined;
  #open: OpenEntry | undefined;

  constructor(place: PlaceInRoot, options: UnpackOptions) {
    this.#options = options;
    this.#base = place.path.replace(/\/+$/, '');
    this.#root = openPath(place.root);
  }

  assertDirectory(): void {
    using _directory = this.#openDirectory(byteString(''));
  }

  async entry(entry: TarEntry): Promise<void> {
    this.#closeFile();
    const path = cleanPath(entry.path);
    if (path === undefined) throw this.#refuse(entry, 'it leaves the directory');
    if (entry.sparse) throw this.#refuse(entry, 'sparse files are not supported here');
    // The directory itself keeps its attributes.
    if (path === '') return;
    try {
      const parent = this.#parentOf(parentOf(path));
      await this.#make(entry, { directory: parent, name: baseOf(path), path });
    } catch (error) {
      throw this.#failed(entry, error);
    }
  }

  data(bytes: Buffer): void {
    if (this.#open === undefined) return;
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#open.fd, bytes, at);
    } catch (error) {
      throw this.#failed(this.#open.entry, error);
    }
  }

  /** Directory times, which their content has changed meanwhile. */
  finish(): void {
    this.#closeFile();
    for (const entry of this.#directories.reverse()) {
      try {
        using directory = this.#openDirectory(cleanPath(entry.path) ?? entry.path);
        setTimesOf(directory.fd, entry.mtimeNs);
      } catch (error) {
        // A later entry, or the container, has put something else there.
        if (!hasErrno(error, 'ENOENT') && !hasErrno(error, 'ENOTDIR')) throw this.#failed(entry, error);
      }
    }
  }

  [Symbol.dispose](): void {
    if (this.#open !== undefined) closeSync(this.#open.fd);
    this.#open = undefined;
    this.#parent?.file[Symbol.dispose]();
    this.#root[Symbol.dispose]();
  }

  async #make(
    entry: TarEntry,
    at: { readonly directory: OpenFile; readonly name: ByteString; readonly path: ByteString },
  ): Promise<void> {
    const { directory, name, path } = at;
    // One directory is held open, and its entry named in it: no step follows a symlink.
    const target = inDirectory(directory, name);
    const present = lstatSync(target, { throwIfNoEntry: false });
    if (present !== undefined) await this.#clear({ entry, present, directory, name });
    const kept = present?.isDirectory() === true && entry.type === 'directory';

    switch (entry.type) {
      case 'directory': {
        if (!kept) mkdirSync(target, { mode: 0o700 });
        using made = this.#openDirectory(path);
        this.#finishFile(entry, made.fd);
        this.#directories.push(entry);
        return;
      }
      case 'file': {
        const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
        this.#open = { entry, fd: openSync(target, flags, 0o600) };
        return;
      }
      case 'link':
        this.#link(entry, target);
        return;
      case 'symlink':
        symlinkSync(bufferOf(entry.linkPath), target);
        break;
      case 'character':
      case 'block':
        throw this.#refuse(entry, 'devices are not allowed here');
      case 'fifo':
        makeNode(target, constants.S_IFIFO | entry.mode);
        break;
    }
    const { uid, gid } = this.#options.owner ?? entry;
    lchownSync(target, uid, gid);
    if (entry.type !== 'symlink') {
      using made = openInRoot(directory, bufferOf(name), { followLast: false });
      // The descriptor's link leads to the node itself; what made it left out the umask's bits.
      chmodSync(made.path, entry.mode);
    }
    setTimes(target, entry.mtimeNs);
  }

  #link(entry: TarEntry, target: Buffer): void {
    const source = cleanPath(entry.linkPath);
    if (source === undefined || source === '') {
      throw this.#refuse(entry, `it links to ${JSON.stringify(textOf(entry.linkPath))}`);
    }
    using from = this.#openDirectory(parentOf(source));
    linkSync(inDirectory(from, baseOf(source)), target);
  }

  /** Makes room for an entry where something stands. */
  async #clear(work: {
    readonly entry: TarEntry;
    readonly present: Stats;
    readonly directory: OpenFile;
    readonly name: ByteString;
  }): Promise<void> {
    const { entry, present, directory, name } = work;
    const [was, is] = [present.isDirectory(), entry.type === 'directory'];
    if (was && is) return;
    if (this.#options.noOverwriteDirNonDir === true && was !== is) {
      const [old, fresh] = was ? ['directory', 'non-directory'] : ['non-directory', 'directory'];
      const [path, base] = [this.#shown(entry), this.#base === '' ? '/' : this.#base].map((text) =>
        JSON.stringify(text),
      );
      throw new EngineError('invalidArgument', `cannot overwrite ${old} ${path} with ${fresh} ${base}`);
    }
    if (!was) {
      unlinkSync(inDirectory(directory, name));
      return;
    }
    const doomed = `.gantry-${randomBytes(8).toString('hex')}`;
    renameSync(inDirectory(directory, name), inDirectory(directory, byteString(doomed)));
    // rm walks by file descriptors, so a link swapped in meanwhile leads it nowhere.
    const cwd = `/proc/${process.pid}/fd/${directory.fd}`;
    await run('rm', ['-rf', '--one-file-system', '--', doomed], { cwd });
  }

  #closeFile(): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    try {
      this.#finishFile(open.entry, open.fd);
      setTimesOf(open.fd, open.entry.mtimeNs);
    } catch (error) {
      throw this.#failed(open.entry, error);
    } finally {
      closeSync(open.fd);
    }
  }

  /** chown drops setuid bits and file capabilities, so it comes first. */
  #finishFile(entry: TarEntry, fd: number): void {
    const { uid, gid } = this.#options.owner ?? entry;
    fchownSync(fd, uid, gid);
    fchmodSync(fd, entry.mode);
    for (const [name, value] of xattrsOf(entry)) {
      if (name === 'security.capability' || name.startsWith('user.')) setXattrOf(fd, name, bufferOf(value));
    }
  }

  #parentOf(path: ByteString): OpenFile {
    if (this.#parent?.path === path) return this.#parent.file;
    const file = this.#openOrMake(path);
    this.#parent?.file[Symbol.dispose]();
    this.#parent = { path, file };
    return file;
  }

  #openOrMake(path: ByteString): OpenFile {
    try {
      return this.#openDirectory(path);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT') || path === '') throw error;
    }
    using above = this.#openOrMake(parentOf(path));
    mkdirSync(inDirectory(above, baseOf(path)), { mode: 0o755 });
    return this.#openDirectory(path);
  }

  #openDirectory(path: ByteString): OpenFile {
    const bytes = bufferOf(`${byteString(this.#base)}/${path}`);
    return openInRoot(this.#root, bytes, { flags: constants.O_RDONLY | constants.O_DIRECTORY });
  }

  #shown(entry: TarEntry): string {
    return textOf(entry.path);
  }

  #refuse(entry: TarEntry, why: string): EngineError {
    return new EngineError(
      'invalidArgument',
      `Refusing the entry ${JSON.stringify(this.#shown(entry))}: ${why}`,
    );
  }

  #failed(entry: TarEntry, error: unknown): EngineError {
    if (error instanceof EngineError) return error;
    const errno = errnoOf(error) ?? String(error);
    const isFull = codeOf(error) === 'outOfSpace';
    const why = isFull ? 'no space left on device' : errno;
    return new EngineError(
      isFull ? 'outOfSpace' : 'invalidArgument',
      `Cannot unpack ${JSON.stringify(this.#shown(entry))}: ${why}`,
      { cause: error },
    );
  }
}

function inDirectory(directory: OpenFile, name: ByteString): Buffer {
  return Buffer.concat([Buffer.from(`${directory.path}/`), bufferOf(name)]);
}
