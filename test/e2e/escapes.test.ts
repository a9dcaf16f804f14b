import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CommandOptions, openDaemon, runCommand, type TestDaemon } from '../support/daemon.ts';
import { busyboxTar } from '../support/rootfs.ts';

// Ways out of a container that engines have had. Each is tried, must fail without harm, and is seen to fail: a marker on
// the host is neither read nor changed.

let engine: TestDaemon;
const files = mkdtempSync(join(tmpdir(), 'gantry-test-escapes-'));
/** A directory of the host that no container is given. */
const outside = join(files, 'outside');
const secret = join(outside, 'secret');

before(async () => {
  mkdirSync(outside);
  writeFileSync(secret, 'of the host\n');
  engine = await openDaemon();
});
after(async () => {
  assert.deepEqual(readdirSync(outside), ['secret'], 'something was written outside');
  assert.equal(readFileSync(secret, 'utf8'), 'of the host\n');
  rmSync(files, { recursive: true, force: true });
  await engine.destroy();
});

const docker = (...args: string[]) => engine.ok(args);
const attempt = (...args: string[]) => {
  const { code, stdout, stderr } = engine.docker(args);
  return { code, said: stdout + stderr };
};
let images = 0;
/** An image of the busybox base and these further instructions. */
function image(...instructions: string[]): string {
  images += 1;
  const name = `escape:${images}`;
  docker('build', '-q', '-t', name, context(['FROM base:1', ...instructions]));
  return name;
}
function context(lines: readonly string[]): string {
  const directory = mkdtempSync(join(files, 'context-'));
  writeFileSync(join(directory, 'Dockerfile'), [...lines, ''].join('\n'));
  return directory;
}
/** The base's tree, changed by a script as no build can change it. */
function imported(change: string): string {
  const tree = mkdtempSync(join(files, 'tree-'));
  const archive = `${tree}.tar`;
  shell(`tar xf - && ${change} && tar cf ${archive} .`, { cwd: tree, input: busyboxTar() });
  images += 1;
  docker('import', archive, `escape:${images}`);
  return `escape:${images}`;
}
function shell(script: string, options: CommandOptions): void {
  const { code, stderr } = runCommand('sh', ['-ec', script], options);
  assert.equal(code, 0, stderr);
}

describe('a working directory that is a leaked descriptor (CVE-2024-21626)', () => {
  // The runtime's own: its descriptor of /sys/fs/cgroup was 7 or 8.
  const numbers = [3, 5, 6, 7, 8, 9, 10];
  // Through a descriptor of the host, `..` upwards would end in the host's root.
  const look = `cat ../../../../../../..${secret} 2>/dev/null; cat ${secret} 2>/dev/null; pwd`;

  test('of an image, of run and of exec', () => {
    docker('run', '-d', '--name', 'leak', 'base:1', 'sleep', '1000');
    for (const number of numbers) {
      const path = `/proc/self/fd/${number}`;
      for (const args of [
        ['run', '--rm', '-w', path, 'base:1', 'sh', '-c', look],
        ['exec', '-w', path, 'leak', 'sh', '-c', look],
      ]) {
        const { code, said } = attempt(...args);
        assert.notEqual(code, 0, `${args.join(' ')}: ${said}`);
        assert.doesNotMatch(said, /of the host/);
      }
    }
    docker('rm', '-f', 'leak');
    for (const number of [7, 8]) {
      const { code, said } = attempt(
        'run',
        '--rm',
        image(`WORKDIR /proc/self/fd/${number}`),
        'sh',
        '-c',
        look,
      );
      assert.doesNotMatch(said, /of the host/);
      assert.notEqual(code, 0, said);
    }
  });

  test('no descriptor of the host is open in a container or an exec', () => {
    const list =
      'for f in /proc/self/fd/*; do readlink $f; done | grep -v -e "^pipe:" -e "^/proc/" -e "^/dev/null"';
    assert.equal(attempt('run', '--rm', 'base:1', 'sh', '-c', list).said, '');
    docker('run', '-d', '--name', 'open', 'base:1', 'sleep', '1000');
    assert.equal(attempt('exec', 'open', 'sh', '-c', list).said, '');
    docker('rm', '-f', 'open');
  });
});

describe('cp while the container swaps a directory for a link to the host (CVE-2018-15664)', () => {
  const swap = `mkdir -p /a${outside} && echo mine >/a${outside}/secret; cd /a${outside}/..; while :; do
    mv outside kept && ln -s ${outside} outside; rm outside && mv kept outside; done`;

  test('neither reads nor writes outside', async () => {
    docker('run', '-d', '--name', 'race', 'base:1', 'sh', '-c', swap);
    const inside = `race:/a${outside}`;
    const source = join(files, 'planted');
    writeFileSync(source, 'planted\n');
    const end = Date.now() + 6000;
    while (Date.now() < end) {
      attempt('cp', source, `${inside}/planted`);
      const { said } = attempt('cp', `${inside}/secret`, '-');
      assert.doesNotMatch(said, /of the host/);
      assert.equal(existsSync(join(outside, 'planted')), false);
      await sleep(1);
    }
    docker('rm', '-f', 'race');
  });
});

test('what a container writes to /proc/self/exe never reaches the runtime (CVE-2019-5736)', () => {
  const digest = () =>
    ['/usr/sbin/runc', '/usr/bin/runc', '/usr/bin/crun', '/usr/bin/conmon', process.execPath]
      .filter((path) => existsSync(path))
      .map((path) => createHash('sha256').update(readFileSync(path)).digest('hex'));
  const intact = digest();
  // The runtime becomes this "command": its interpreter is the runtime itself, held open for writing.
  const trap = image(
    'RUN printf "#!/proc/self/exe\\n" >/trap && chmod +x /trap',
    'RUN printf "#!/bin/sh\\nwhile :; do for p in /proc/[0-9]*; do (echo x >\\$p/exe) 2>/dev/null; done; done\\n" >/writer && chmod +x /writer',
  );
  assert.notEqual(attempt('run', '--rm', trap, '/trap').code, 0);
  docker('run', '-d', '--name', 'writer', trap, '/writer');
  for (let round = 0; round < 5; round += 1) attempt('exec', 'writer', '/trap');
  for (let round = 0; round < 5; round += 1) attempt('exec', 'writer', 'true');
  docker('rm', '-f', 'writer');
  assert.deepEqual(digest(), intact);
});

describe('mounts over what confines', () => {
  test('a volume at /proc or below is refused', () => {
    for (const target of ['/proc', '/proc/self/attr', '/proc/sys']) {
      const { code, said } = attempt(
        'run',
        '--rm',
        '-v',
        `x${images}:${target}`,
        'base:1',
        'cat',
        '/proc/self/attr/exec',
      );
      assert.notEqual(code, 0, `${target}: ${said}`);
    }
    const { code, said } = attempt('run', '--rm', image('VOLUME /proc'), 'true');
    assert.notEqual(code, 0, said);
  });

  test('an image whose /proc or /sys is a link gets nothing mounted where that leads', () => {
    for (const name of ['proc', 'sys']) {
      const linked = imported(`rm -rf ${name} && mkdir else && ln -s /else ${name}`);
      const look = 'grep -c " /else" /proc/self/mountinfo; (echo x >/proc/sys/kernel/panic) 2>&1';
      const { said } = attempt('run', '--rm', linked, 'sh', '-c', look);
      assert.match(
        said,
        /^0\nsh: can't create .*: Read-only file system$|must be mounted on ordinary directory/m,
      );
    }
  });

  test('masked paths stay masked when the image makes /dev/null a link or a file (CVE-2025-31133)', () => {
    const look =
      'wc -c </proc/interrupts; ls -l /dev/null | cut -c1; (echo x >/proc/sys/kernel/core_pattern) 2>&1; cat /dev/null';
    for (const making of [`ln -s ${secret}`, 'ln -s /proc/sys/kernel/core_pattern', 'touch']) {
      const { said } = attempt(
        'run',
        '--rm',
        imported(`rm -f dev/null; ${making} dev/null`),
        'sh',
        '-c',
        look,
      );
      assert.equal(said, "0\nc\nsh: can't create /proc/sys/kernel/core_pattern: Read-only file system\n");
    }
  });
});

describe('volumes whose subpath is a link', () => {
  test('lead nowhere but into the volume', () => {
    docker('run', '--rm', '-v', 'sub:/v', 'base:1', 'ln', '-s', outside, '/v/out');
    docker('run', '--rm', '-v', 'sub:/v', 'base:1', 'ln', '-s', `../../../../../../..${outside}`, '/v/up');
    for (const subpath of ['out', 'up', '../..', 'out/../..']) {
      const mount = `type=volume,src=sub,dst=/m,volume-subpath=${subpath}`;
      const { code, stdout, stderr } = engine.since(26, [
        'run',
        '--rm',
        '--mount',
        mount,
        'base:1',
        'ls',
        '/m',
      ]);
      assert.notEqual(code, 0, stdout);
      assert.match(stderr, /subpath .*within the volume/);
    }
    docker('volume', 'rm', 'sub');
  });
});

describe('files of the image that are links to the host', () => {
  test('/etc/passwd and /etc/group name nobody of the host', () => {
    writeFileSync(join(files, 'passwd'), 'onlyhere:x:4242:4242::/:/bin/sh\n');
    const linked = image(`RUN rm -f /etc/passwd /etc/group && ln -s ${join(files, 'passwd')} /etc/passwd`);
    const { code, said } = attempt('run', '--rm', '-u', 'onlyhere', linked, 'id');
    assert.notEqual(code, 0);
    assert.match(said, /unable to find user onlyhere: no matching entries in passwd file/);
  });

  test('an /etc/passwd that never ends stops nobody', () => {
    for (const change of ['mkfifo', 'ln -s /dev/zero']) {
      docker('run', '-d', '--name', 'endless', 'base:1', 'sleep', '1000');
      docker('exec', 'endless', 'sh', '-c', `rm /etc/passwd; ${change} /etc/passwd`);
      const { said } = attempt('exec', 'endless', 'true');
      assert.match(said, /Cannot look up users in \/etc\/passwd/, change);
      docker('rm', '-f', 'endless');
    }
  });

  test('/etc/hosts, hostname and resolv.conf are mounted inside, whatever they were', () => {
    const linked = image(
      `RUN for f in hosts hostname resolv.conf; do rm -f /etc/$f; ln -s ${secret} /etc/$f; done; true`,
    );
    const { said } = attempt(
      'run',
      '--rm',
      '-h',
      'box',
      linked,
      'sh',
      '-c',
      'cat /etc/hosts; echo x >>/etc/hosts',
    );
    assert.doesNotMatch(said, /of the host/);
    assert.equal(readFileSync(secret, 'utf8'), 'of the host\n');
  });
});

describe('links in archives and builds', () => {
  test('COPY, ADD and WORKDIR follow links of a stage inside it only', () => {
    const built = image(
      `RUN ln -s ${outside} /out && ln -s ../../../../../..${outside} /up`,
      'WORKDIR /out/made',
      'COPY Dockerfile /out/planted',
      'ADD Dockerfile /up/planted2',
    );
    assert.equal(attempt('run', '--rm', built, 'ls', outside).said, 'made\nplanted\nplanted2\n');
    const lines = [
      'FROM base:1 AS a',
      `RUN ln -s ${secret} /link`,
      'FROM base:1',
      'COPY --from=a /link /got',
    ];
    const { code, said } = attempt('build', context(lines));
    assert.notEqual(code, 0, said);
  });

  test('a tar given to cp writes through no link', () => {
    docker('run', '-d', '--name', 'tar', 'base:1', 'sleep', '1000');
    const cwd = mkdtempSync(join(files, 'tar-'));
    // A link out and a file through it; a hard link to a file of the host; a name with `..`.
    shell(`ln -s ${outside} out && tar cf a.tar out && rm out && mkdir out`, { cwd });
    shell('echo x >out/planted && tar rf a.tar out/planted', { cwd });
    shell(`echo x >f && ln f g && tar cf b.tar f g --transform 's,^f$,${secret.slice(1)},;s,^g$,hard,'`, {
      cwd,
    });
    shell(`echo x >planted && tar cPf c.tar --transform 's,^,../../../../../../..${outside}/,' planted`, {
      cwd,
    });
    for (const name of ['a', 'b', 'c']) {
      engine.docker(['cp', '-', 'tar:/tmp'], { input: readFileSync(join(cwd, `${name}.tar`)) });
      assert.deepEqual(readdirSync(outside), ['secret'], name);
    }
    assert.doesNotMatch(attempt('exec', 'tar', 'sh', '-c', 'cat /tmp/hard').said, /of the host/);
    docker('rm', '-f', 'tar');
  });
});
