import { apiVersion, dockerVersion } from '../config/index.ts';
import { EngineError } from '../errors/index.ts';

const prefix = /^\/v(\d+)\.(\d+)(?=\/|\?|$)/;
const newest = minorOf(apiVersion.newest);
const oldest = minorOf(apiVersion.oldest);

/** Headers of every answer. */
export const commonHeaders: Readonly<Record<string, string>> = {
  'Api-Version': apiVersion.newest,
  'Docker-Experimental': 'false',
  Ostype: 'linux',
  Server: `Docker/${dockerVersion} (linux)`,
};

/** `/v1.41/info` to `/info`. */
export function withoutVersion(url: string): string {
  const rest = url.replace(prefix, '');
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/**
 * The minor number (41 for `/v1.41/info`) of the API the client speaks; without a prefix the newest.
 * Throws `invalidArgument` with Docker's text outside the range.
 */
export function apiOf(url: string): number {
  const [, major, minor] = prefix.exec(url) ?? [];
  if (major === undefined || minor === undefined) return newest;
  const asked = Number(minor);
  const text = `${Number(major)}.${asked}`;
  if (Number(major) > 1 || asked > newest) {
    throw new EngineError(
      'invalidArgument',
      `client version ${text} is too new. Maximum supported API version is ${apiVersion.newest}`,
    );
  }
  if (Number(major) < 1 || asked < oldest) {
    throw new EngineError(
      'invalidArgument',
      `client version ${text} is too old. Minimum supported API version is ${apiVersion.oldest}, please upgrade your client to a newer version`,
    );
  }
  return asked;
}

function minorOf(version: string): number {
  return Number(version.slice(version.indexOf('.') + 1));
}
