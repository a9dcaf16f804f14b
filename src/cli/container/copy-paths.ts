import { basename, dirname, isAbsolute, posix, resolve } from 'node:path';
import { EngineError } from '../../errors/index.ts';

export interface CopySpec {
  /** Undefined for a path of this machine. */
  readonly container?: string;
  readonly path: string;
}

type Kind = 'missing' | 'directory' | 'other';

function invalid(message: string): EngineError {
  return new EngineError('invalidArgument', message);
}

/** `CONTAINER:PATH`; an absolute path, or one that starts with `.`, is local even with a colon in it. */
export function parseCopySpec(text: string): CopySpec {
  if (isAbsolute(text)) return { path: text };
  const colon = text.indexOf(':');
  const container = text.slice(0, Math.max(0, colon));
  if (colon === -1 || container.startsWith('.')) return { path: text };
  const path = text.slice(colon + 1);
  return { container, path };
}

/** `dir/.` means what is in the directory, not the directory. */
export function wantsContents(path: string): boolean {
  return path === '.' || path.endsWith('/.');
}

/** Where an archive is unpacked in the container, and the name its top entry gets ('' for none). */
export function planCopyIn(copy: {
  readonly source: string;
  readonly contents: boolean;
  readonly sourceIsDirectory: boolean;
  readonly target: string;
  readonly targetKind: Kind;
}): { readonly directory: string; readonly name: string } {
  const target = posix.resolve('/', copy.target);
  if (copy.targetKind === 'directory') {
    return { directory: target, name: copy.contents ? '' : basename(copy.source) };
  }
  checkTarget(copy);
  return { directory: posix.dirname(target), name: posix.basename(target) };
}

function checkTarget(copy: {
  readonly sourceIsDirectory: boolean;
  readonly target: string;
  readonly targetKind: Kind;
}): void {
  if (copy.targetKind === 'other' && copy.sourceIsDirectory) throw invalid('cannot copy directory');
  if (copy.targetKind === 'other' && copy.target.endsWith('/')) throw invalid('not a directory');
  if (copy.targetKind === 'missing' && !copy.sourceIsDirectory && /\/\.?$/.test(copy.target)) {
    throw new EngineError('notFound', 'no such directory');
  }
}

/** Arguments of GNU tar that put an archive, whose top entry is `rootName`, at `target` by docker cp's rules. */
export function extractArguments(copy: {
  readonly rootName: string;
  /** What it is called in a directory: the name of a link that was followed to it, else its own. */
  readonly name: string;
  readonly contents: boolean;
  readonly sourceIsDirectory: boolean;
  readonly target: string;
  readonly targetKind: Kind;
  readonly parentIsDirectory: boolean;
  readonly keepOwner: boolean;
}): string[] {
  const owner = copy.keepOwner ? '--same-owner' : '--no-same-owner';
  const base = ['-x', '-f', '-', '-p', owner, '--delay-directory-restore'];
  const target = resolve(copy.target);
  if (copy.targetKind === 'directory') {
    const name = copy.contents ? '.' : copy.name;
    const rename = copy.rootName === '/' || copy.rootName === name ? [] : [renaming(copy.rootName, name)];
    return [...base, '-C', target, ...rename];
  }
  checkTarget(copy);
  if (!copy.parentIsDirectory) {
    throw new EngineError('notFound', `invalid output path: directory "${dirname(target)}" does not exist`);
  }
  return [...base, '-C', dirname(target), renaming(copy.rootName, basename(target))];
}

/** Names and hard link targets are renamed, symlink targets never. */
function renaming(from: string, to: string): string {
  const pattern = from.replace(/[.*[\]^$\\|]/g, '\\$&');
  const replacement = to.replace(/[&\\|]/g, '\\$&');
  return `--transform=flags=rh;s|^\\(\\./\\)\\{0,1\\}${pattern}\\(/\\|$\\)|${replacement}\\2|`;
}
