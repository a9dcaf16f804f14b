import { execFileSync } from 'node:child_process';

/** The major version of the docker CLI on the PATH. Debian 12's own is 20. */
export const dockerVersion = Number(
  /version (\d+)\./.exec(execFileSync('docker', ['--version'], { encoding: 'utf8' }))?.[1],
);
