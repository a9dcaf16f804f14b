import { join } from 'node:path';
import type { CommandOptions, TestDaemon } from './daemon.ts';
import { type FileContent, temporaryDirectory, writeTree } from './files.ts';

type Files = Readonly<Record<string, FileContent>>;

/** `docker build` as the unmodified CLI's classic builder drives it, over one directory. */
export interface DockerBuilds {
  /** The directory that is sent. */
  readonly context: string;
  /** Standard output of a build over a context of these files. */
  readonly build: (files: Files, args?: readonly string[], options?: CommandOptions) => string;
  /** The same over the context as it is now. */
  readonly again: (args?: readonly string[], options?: CommandOptions) => string;
  /** Builds and returns the image's ID. */
  readonly made: (files: Files, args?: readonly string[]) => string;
  /** What a shell script prints in a container of an image. */
  readonly inImage: (image: string, script: string) => string;
}

export function dockerBuilds(
  engine: TestDaemon,
  scope: { readonly after: (action: () => void) => void },
): DockerBuilds {
  const context = join(temporaryDirectory(scope), 'context');
  const again = (args: readonly string[] = [], options: CommandOptions = {}) =>
    engine.ok(['build', ...args, context], options);
  const build = (files: Files, args: readonly string[] = [], options: CommandOptions = {}) => {
    writeTree(context, files);
    return again(args, options);
  };
  return {
    context,
    build,
    again,
    made: (files, args = []) => build(files, ['-q', ...args]),
    inImage: (image, script) => engine.ok(['run', '--rm', image, 'sh', '-c', script]),
  };
}

export const dockerfile = (...lines: string[]) => ({ Dockerfile: `${lines.join('\n')}\n` });
