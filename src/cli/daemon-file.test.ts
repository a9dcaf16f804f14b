import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { withDaemonFile } from './daemon-file.ts';
import { bool, int, list, parseFlags, text } from './flags.ts';

const directory = mkdtempSync(join(tmpdir(), 'gantry-daemon-file-'));
after(() => {
  rmSync(directory, { recursive: true, force: true });
});
const path = join(directory, 'daemon.json');
const table = {
  'config-file': text(''),
  debug: bool(''),
  host: list(''),
  'https-proxy': text(''),
  'log-opt': list('', { kind: 'map' }),
  'max-concurrent-downloads': int('', { initial: 3 }),
  root: text(''),
};

function settingsOf(file: unknown, ...argv: string[]): object {
  writeFileSync(path, typeof file === 'string' ? file : JSON.stringify(file));
  return withDaemonFile(table, parseFlags(table, argv), path);
}

const usual = parseFlags(table, []).values;

test('directives count as flags do', () => {
  assert.deepEqual(
    settingsOf(
      {
        debug: true,
        hosts: ['unix:///a', 'tcp://127.0.0.1:1'],
        proxies: { 'https-proxy': 'http://proxy:1' },
        'log-opts': { 'max-size': '1m', tag: 'a=b' },
        'data-root': '/data',
      },
      '--max-concurrent-downloads=4',
    ),
    {
      'config-file': '',
      debug: true,
      host: ['unix:///a', 'tcp://127.0.0.1:1'],
      'https-proxy': 'http://proxy:1',
      'log-opt': ['max-size=1m', 'tag=a=b'],
      'max-concurrent-downloads': 4,
      root: '/data',
    },
  );
});

test('an empty file says nothing, nor does one that is not there unless it was asked for', () => {
  assert.deepEqual(settingsOf('\n'), usual);
  const missing = join(directory, 'missing.json');
  assert.deepEqual(withDaemonFile(table, parseFlags(table, []), missing), usual);
  assert.throws(() => withDaemonFile(table, parseFlags(table, ['--config-file', missing]), missing), {
    message: `unable to configure the Gantry daemon with file ${missing}: ENOENT: no such file or directory, open '${missing}'`,
  });
});

for (const [what, file, argv, message] of [
  ['no JSON', '{', [], /^Expected property name/],
  ['no object', '[]', [], 'it holds no JSON object'],
  [
    'what nobody knows',
    { debug: true, some: 1, x: 2 },
    [],
    "the following directives don't match any configuration option: some, x",
  ],
  [
    'the name of a flag',
    { host: ['a'] },
    [],
    "the following directives don't match any configuration option: host",
  ],
  [
    'a file of its own',
    { 'config-file': 'a' },
    [],
    "the following directives don't match any configuration option: config-file",
  ],
  [
    'what flags say too',
    { debug: false, hosts: ['b'] },
    ['--debug', '--host', 'a'],
    'the following directives are specified both as a flag and in the configuration file: debug: (from flag: true, from file: false), hosts: (from flag: ["a"], from file: ["b"])',
  ],
  [
    'a proxy that a flag names too',
    { proxies: { 'https-proxy': 'http://me:other@proxy:3128' } },
    ['--https-proxy', 'me:sec@ret@proxy:3128'],
    'the following directives are specified both as a flag and in the configuration file: https-proxy: (from flag: "xxxxx:xxxxx@proxy:3128", from file: "http://xxxxx:xxxxx@proxy:3128")',
  ],
  ['another type', { debug: 'yes' }, [], 'debug: "yes" is no boolean'],
  ['a list of another type', { hosts: 'a' }, [], 'hosts: "a" is no list of strings'],
  ['an element of another type', { 'log-opts': { a: 1 } }, [], 'log-opts: 1 is no string'],
  ['a fraction', { 'max-concurrent-downloads': 1.5 }, [], /^max-concurrent-downloads: strconv.ParseInt/],
] as const) {
  test(`${what} is refused`, () => {
    const prefix = `unable to configure the Gantry daemon with file ${path}: `;
    assert.throws(
      () => settingsOf(file, ...argv),
      (error: Error) => {
        assert.ok(error.message.startsWith(prefix), error.message);
        const rest = error.message.slice(prefix.length);
        if (typeof message === 'string') assert.equal(rest, message);
        else assert.match(rest, message);
        return true;
      },
    );
  });
}
