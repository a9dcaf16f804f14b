import { readFile } from 'node:fs/promises';
import { EngineError, hasErrno, messageOf } from '../../../errors/index.ts';
import { parseRegistryConfig } from './parse-config.ts';
import type { RegistryConfig } from './registry-config.ts';

/** Reads a configuration file, JSON or YAML; without one, the defaults. Rejects with `invalidArgument`. */
export async function readRegistryConfig(path: string | undefined): Promise<RegistryConfig> {
  if (path === undefined) return parseRegistryConfig({});
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
    throw new EngineError('invalidArgument', `Cannot read ${path}: no such file`, { cause: error });
  }
  const document = await parseText(text, path);
  try {
    return parseRegistryConfig(document);
  } catch (error) {
    throw new EngineError('invalidArgument', `${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** YAML holds JSON too, but its parser need not be loaded for it. */
async function parseText(text: string, path: string): Promise<unknown> {
  try {
    if (/^\s*[{[]/.test(text)) return JSON.parse(text);
    const { parse } = await import('yaml');
    return parse(text) as unknown;
  } catch (error) {
    throw new EngineError('invalidArgument', `${path}: ${messageOf(error)}`, { cause: error });
  }
}
