import { readFile } from 'node:fs/promises';
import { EngineError } from '../../errors/index.ts';
import { openError, parseEnvFile, parseLabelFile } from './env-file.ts';

type Environment = Readonly<Record<string, string | undefined>>;

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw openError(path, error);
  }
}

export async function readEnvFiles(paths: readonly string[], environment: Environment): Promise<string[]> {
  const files = await Promise.all(
    paths.map(async (path) => parseEnvFile(await textOf(path), path, environment)),
  );
  return files.flat();
}

export async function readLabelFiles(paths: readonly string[]): Promise<string[]> {
  const files = await Promise.all(paths.map(async (path) => parseLabelFile(await textOf(path), path)));
  return files.flat();
}

/**
 * Checks `--security-opt` and puts the content of a seccomp profile in the place of its file name. The content itself,
 * which is all that a container remembers, may stand there too.
 */
export async function readSecurityOpts(options: readonly string[]): Promise<string[]> {
  return Promise.all(options.map(readSecurityOpt));
}

async function readSecurityOpt(option: string): Promise<string> {
  if (option === 'no-new-privileges') return option;
  const match = /^([^=:]+)[=:](.*)$/.exec(option);
  if (match === null)
    throw new EngineError('invalidArgument', `Invalid --security-opt: ${JSON.stringify(option)}`);
  const [, name, value] = match as unknown as [string, string, string];
  if (name !== 'seccomp' || ['unconfined', 'builtin'].includes(value)) return option;
  let profile: string;
  try {
    profile = value.startsWith('{') ? value : await textOf(value);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw new EngineError('invalidArgument', `opening seccomp profile (${value}) failed: ${error.message}`, {
      cause: error,
    });
  }
  try {
    return `seccomp=${JSON.stringify(JSON.parse(profile))}`;
  } catch (error) {
    throw new EngineError(
      'invalidArgument',
      `compacting json for seccomp profile (${value}) failed: not JSON`,
      {
        cause: error,
      },
    );
  }
}
