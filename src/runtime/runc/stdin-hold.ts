import { closeSync, constants, fstatSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { lastOwnDescriptor } from './monitor.ts';

const closeOnExec = 0o2000000;

/**
 * A read end of the pipe through which a monitor feeds its process, of which nobody reads. Once the process has closed
 * its own, conmon would be told without end that it may write to the pipe, and that nobody reads it; so it finds the
 * pipe full instead, and its clients wait. The end of the input still reaches whoever does read.
 */
export class StdinHold implements Disposable {
  #fd: number | undefined;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** `undefined` where there is no such pipe (any more), or it cannot be opened: all else goes on without. */
  static of(monitor: number): StdinHold | undefined {
    try {
      const pipe = stdinOf(monitor);
      if (pipe === undefined) return undefined;
      // Not a copy of conmon's descriptor, which would be one more that writes.
      const fd = openSync(pipe.path, constants.O_RDONLY | constants.O_NONBLOCK);
      const stats = fstatSync(fd);
      if (stats.isFIFO() && nameOf(stats.ino) === pipe.name) return new StdinHold(fd);
      closeSync(fd);
    } catch {
      // The monitor has ended meanwhile or closed the pipe, or may not be looked into.
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

/** The one pipe that the monitor made for itself and only writes to. */
function stdinOf(monitor: number): { readonly path: string; readonly name: string } | undefined {
  const directory = `/proc/${monitor}/fd`;
  const pipes = readdirSync(directory)
    .map((fd) => ({ fd: Number(fd), path: join(directory, fd), name: readlinkSync(join(directory, fd)) }))
    .filter(({ name }) => name.startsWith('pipe:'))
    .map((pipe) => ({ ...pipe, flags: flagsOf(monitor, pipe.fd) }));
  const writes = (flags: number) => (flags & (constants.O_WRONLY | constants.O_RDWR)) === constants.O_WRONLY;
  const read = new Set(pipes.filter(({ flags }) => !writes(flags)).map(({ name }) => name));
  // What it was started with has come through an exec.
  const own = ({ fd, flags }: { fd: number; flags: number }) =>
    fd > lastOwnDescriptor && (flags & closeOnExec) !== 0;
  const [pipe, ...others] = pipes.filter((it) => own(it) && writes(it.flags) && !read.has(it.name));
  return others.length === 0 ? pipe : undefined;
}

function flagsOf(pid: number, fd: number): number {
  const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'))?.[1] ?? '';
  return Number.parseInt(flags, 8);
}

function nameOf(inode: number): string {
  return `pipe:[${inode}]`;
}
