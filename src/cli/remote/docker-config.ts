import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError, hasErrno, messageOf } from '../../errors/index.ts';
import { replaceFile } from '../../lib/replace-file.ts';

/** How Docker's clients write down who one is; `auth` is base64 of `user:password`. */
export interface StoredAuth {
  readonly auth?: string;
  readonly identitytoken?: string;
}

/** The parts of Docker's `config.json` that registries need; other fields pass through unread. */
export interface DockerConfig {
  readonly auths?: Readonly<Record<string, StoredAuth>>;
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>>;
}

function pathIn(directory: string): string {
  return join(directory, 'config.json');
}

/** Without a file it is empty. Throws `invalidArgument` for one that is no JSON object. */
export async function readDockerConfig(directory: string): Promise<DockerConfig> {
  let text: string;
  try {
    text = await readFile(pathIn(directory), 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return {};
    throw error;
  }
  try {
    const parsed = JSON.parse(text) as unknown;
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed;
    throw new EngineError('invalidArgument', 'not an object');
  } catch (error) {
    const why = messageOf(error);
    throw new EngineError('invalidArgument', `Error loading config file: ${pathIn(directory)}: ${why}`, {
      cause: error,
    });
  }
}

/** Only its owner may read it. */
export async function writeDockerConfig(directory: string, config: DockerConfig): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await replaceFile(pathIn(directory), `${JSON.stringify(config, null, '\t')}\n`, 0o600);
}
