import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { EngineError, hasErrno } from '../../errors/index.ts';
import { exitOf, killGroup, start } from '../../lib/process.ts';

/** GNU tar's messages are parsed and its names are bytes: no locale. */
const environment = { LC_ALL: 'C', PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

/** GNU tar reading or writing an archive, killed if it has not ended by dispose. */
export interface TarProgram extends AsyncDisposable {
  /** The archive to unpack. */
  readonly input: Writable;
  /** The archive being packed. */
  readonly output: Readable;
  /** Waits for the end; rejects with `reject`'s code and tar's first complaint if it failed. */
  finished(): Promise<void>;
}

const unpackArguments = [
  '--extract',
  '--file=-',
  '--preserve-permissions',
  '--same-owner',
  '--numeric-owner',
  '--xattrs',
  '--xattrs-include=*',
  '--delay-directory-restore',
  '--warning=no-timestamp',
  '--warning=no-unknown-keyword',
  '--blocking-factor=256',
  '--read-full-records',
];

const packArguments = [
  '--create',
  '--file=-',
  '--format=posix',
  '--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime',
  '--sort=name',
  '--numeric-owner',
  '--blocking-factor=256',
];

/** Unpacks into an existing directory; `input` gets the plain archive. */
export function unpackTar(directory: string): TarProgram {
  return tarProgram([...unpackArguments, `--directory=${directory}`], 'invalidArgument');
}

export interface PackOptions {
  /** Names in `directory` to pack, sorted; written to tar's stdin. */
  readonly names: readonly Buffer[];
  /** Extended attributes to keep, as tar's patterns. */
  readonly attributes: readonly string[];
  /** Write holes as holes. */
  readonly sparse: boolean;
}

/** Packs parts of a directory as a PAX archive that depends on nothing but the tree. */
export function packTar(directory: string, options: PackOptions): TarProgram {
  const attributes = options.attributes.map((pattern) => `--xattrs-include=${pattern}`);
  const program = tarProgram(
    [
      ...packArguments,
      '--xattrs',
      ...attributes,
      ...(options.sparse ? ['--sparse'] : []),
      `--directory=${directory}`,
      '--null',
      '--verbatim-files-from',
      '--files-from=-',
    ],
    'internal',
  );
  program.input.end(Buffer.concat(options.names.flatMap((name) => [name, Buffer.alloc(1)])));
  return program;
}

function tarProgram(args: readonly string[], failureCode: 'invalidArgument' | 'internal'): TarProgram {
  const child = start('tar', args, { stdio: ['pipe', 'pipe', 'pipe'], env: environment });
  const exited = exitOf('tar', child);
  // Awaited in `finished`; until then a failed spawn must not count as unhandled.
  exited.catch(() => undefined);
  const { stdin, stdout, stderr } = pipesOf(child);
  // tar explains in its exit code and stderr why it stopped reading.
  stdin.on('error', () => undefined);
  const complaint = firstLines(stderr);
  return {
    input: stdin,
    output: stdout,
    finished: async () => {
      const exitCode = await exited;
      // Packing, 1 says that a file changed meanwhile.
      if (exitCode === 1 && failureCode === 'internal') return;
      if (exitCode !== 0) throw tarFailure(failureCode, exitCode, await complaint);
    },
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null && child.signalCode === null) killGroup(child);
      stdin.destroy();
      stdout.destroy();
      await exited.catch((error: unknown) => {
        if (!hasErrno(error, 'ENOENT') && !(error instanceof EngineError)) throw error;
      });
    },
  };
}

function tarFailure(code: 'invalidArgument' | 'internal', exitCode: number, complaint: string): EngineError {
  // A write cut short is how a full disk shows at first; the error itself comes with the next write, if there is one.
  if (/No space left on device|Wrote only \d+ of \d+ bytes/.test(complaint)) {
    return new EngineError('outOfSpace', `Cannot unpack the layer: ${complaint}`);
  }
  return new EngineError(code, complaint === '' ? `tar failed with exit code ${exitCode}` : complaint);
}

/** What tar said first; the last line only sums up. */
async function firstLines(stderr: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stderr) if (text.length < 4096) text += String(chunk);
  const lines = text.split('\n').filter((line) => line !== '' && !line.includes('Removing leading'));
  return lines
    .slice(0, 3)
    .map((line) => line.replace(/^tar: /, ''))
    .join('; ');
}

function pipesOf(child: ChildProcess): { stdin: Writable; stdout: Readable; stderr: Readable } {
  const { stdin, stdout, stderr } = child;
  if (stdin === null || stdout === null || stderr === null)
    throw new EngineError('internal', 'tar has no pipes');
  return { stdin, stdout, stderr };
}

/** Writes to a program; false once it has stopped reading. */
export async function writeTo(sink: Writable, bytes: Buffer): Promise<boolean> {
  if (sink.destroyed || !sink.writable) return false;
  if (sink.write(bytes)) return true;
  const stop = new AbortController();
  try {
    await Promise.race([
      once(sink, 'drain', { signal: stop.signal }),
      once(sink, 'close', { signal: stop.signal }),
    ]);
  } catch (error) {
    if (!hasErrno(error, 'EPIPE') && !hasErrno(error, 'ECONNRESET')) throw error;
  } finally {
    stop.abort();
  }
  return !sink.destroyed;
}
