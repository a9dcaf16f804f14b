import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { runCommand, startDaemon } from '../support/daemon.ts';
import { temporaryDirectory, writeTree } from '../support/files.ts';
import { startRegistry } from '../support/registry.ts';

// Images between the engine, podman and buildah, through our own registry.

const registry = await startRegistry({ after });
const engine = await startDaemon({ after });
const files = temporaryDirectory({ after });
const docker = (...args: string[]) => engine.ok(args);
const name = (path: string) => `${registry.host}/${path}`;

const storage = ['--root', join(files, 'root'), '--runroot', join(files, 'run'), '--storage-driver', 'vfs'];
const podman = (command: string, ...args: string[]) =>
  peer('podman', [...storage, '--events-backend', 'none', command, ...args]);
const buildah = (command: string, ...args: string[]) => peer('buildah', [...storage, command, ...args]);

function peer(program: string, args: readonly string[]): string {
  const result = runCommand(program, args, { timeoutMs: 300_000 });
  assert.equal(result.code, 0, `${program} ${args.join(' ')}: ${result.stderr || result.stdout}`);
  return result.stdout.trim();
}

const insecure = '--tls-verify=false';
const inspect = (reference: string, format: string) => docker('image', 'inspect', '-f', format, reference);

writeTree(files, {
  'app/Dockerfile': 'FROM base:1\nCOPY a /a\nRUN rm /bin/awk && ln /a/one /a/two\nCMD ["cat", "/a/two"]\n',
  'app/a/one': 'one\n',
  'next/Containerfile': `FROM ${name('made/by-docker:1')}\nCOPY two /a/three\nLABEL by=buildah\n`,
  'next/two': 'three\n',
});

test('podman pulls what the engine pushed, and the engine what podman pushes', () => {
  const reference = name('made/by-docker:1');
  docker('build', '-q', '-t', reference, join(files, 'app'));
  docker('push', reference);
  podman('pull', '-q', insecure, reference);
  const id = inspect(reference, '{{.Id}}');
  assert.equal(`sha256:${podman('image', 'inspect', '--format', '{{.Id}}', reference)}`, id);
  assert.match(podman('image', 'inspect', '--format', '{{.Config.Cmd}}', reference), /^\[cat \/a\/two\]$/);

  for (const [tag, ...options] of [['gzip'], ['zstd', '--compression-format', 'zstd']] as const) {
    const back = name(`made/by-podman:${tag}`);
    podman('push', '-q', insecure, ...options, reference, back);
    docker('rmi', '-f', id);
    docker('pull', '-q', back);
    assert.equal(inspect(back, '{{.Id}}'), id, 'the configuration, so the image, is the same');
    assert.equal(docker('run', '--rm', back), 'one');
  }
});

test('buildah builds on an image of the engine, and the engine runs and pushes the result', () => {
  const reference = name('made/by-buildah:1');
  buildah('build', '-q', insecure, '-t', reference, join(files, 'next'));
  buildah('push', '-q', insecure, reference);
  docker('pull', '-q', reference);
  assert.equal(inspect(reference, '{{.Config.Labels.by}}'), 'buildah');
  assert.equal(
    docker('run', '--rm', reference, 'sh', '-c', 'cat /a/two /a/three; ls /bin/awk 2>&1; true'),
    ['one', 'three', 'ls: /bin/awk: No such file or directory'].join('\n'),
  );

  const digest = docker('push', name('made/by-buildah:1'));
  docker('tag', reference, name('pushed/again:1'));
  assert.match(docker('push', name('pushed/again:1')), new RegExp(/digest: (\S+)/.exec(digest)?.[1] ?? '-'));
  const container = buildah('from', insecure, name('pushed/again:1'));
  assert.equal(buildah('run', '--isolation', 'chroot', container, 'cat', '/a/three'), 'three');
  buildah('rm', container);
});
