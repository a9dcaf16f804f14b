import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Makes `directory` the context of an image that keeps the build argument N in /made; returns it as an archive. */
export function contextTar(directory: string): Buffer {
  mkdirSync(directory);
  const lines = [
    'FROM base:1',
    'ARG N',
    'RUN echo "$N" > /made',
    'COPY file /copied',
    'CMD ["cat", "/made"]',
  ];
  writeFileSync(join(directory, 'Dockerfile'), `${lines.join('\n')}\n`);
  writeFileSync(join(directory, 'file'), 'x'.repeat(100_000));
  return execFileSync('tar', ['-c', '-C', directory, '.']);
}
