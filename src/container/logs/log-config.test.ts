import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertLogConfig, logLimits } from './log-config.ts';

test('logLimits() gives what each driver keeps', () => {
  const cases: [string, Record<string, string>, object | undefined][] = [
    ['json-file', {}, { maxBytes: 100_000_000, maxFiles: 5, compress: false }],
    ['json-file', { 'max-file': '2' }, { maxBytes: 100_000_000, maxFiles: 2, compress: false }],
    ['json-file', { 'max-size': '10m' }, { maxBytes: 10_000_000, maxFiles: 1, compress: false }],
    ['json-file', { 'max-size': '1.5 KiB' }, { maxBytes: 1500, maxFiles: 1, compress: false }],
    [
      'json-file',
      { 'max-size': '1g', 'max-file': '3', compress: 'true' },
      { maxBytes: 1_000_000_000, maxFiles: 3, compress: true },
    ],
    ['json-file', { 'max-size': '-1' }, undefined],
    ['local', {}, { maxBytes: 20_971_520, maxFiles: 5, compress: true }],
    [
      'local',
      { 'max-size': '5mb', 'max-file': '1', compress: '0' },
      { maxBytes: 5_000_000, maxFiles: 1, compress: false },
    ],
    ['none', { anything: 'x' }, undefined],
  ];
  for (const [Type, Config, expected] of cases) {
    assert.deepEqual(logLimits({ Type, Config }), expected, `${Type} ${JSON.stringify(Config)}`);
  }
});

test('logLimits() refuses wrong values in Docker’s words', () => {
  const compress = 'compress cannot be true when max-file is less than 2 or max-size is not set';
  const cases: [string, Record<string, string>, string][] = [
    ['json-file', { 'max-size': 'x' }, "invalid size: 'x'"],
    ['json-file', { 'max-size': '10x' }, "invalid suffix: 'x'"],
    ['json-file', { 'max-size': '10mbb' }, "invalid suffix: 'mbb'"],
    ['json-file', { 'max-size': '1.2.3m' }, 'strconv.ParseFloat: parsing "1.2.3": invalid syntax'],
    ['json-file', { 'max-size': '-5' }, "invalid size: '-5'"],
    ['json-file', { 'max-size': '0' }, 'max-size must be a positive number'],
    ['json-file', { 'max-file': 'x' }, 'strconv.Atoi: parsing "x": invalid syntax'],
    ['json-file', { 'max-file': '0' }, 'max-file cannot be less than 1'],
    ['json-file', { compress: 'maybe' }, 'strconv.ParseBool: parsing "maybe": invalid syntax'],
    ['json-file', { compress: 'true' }, compress],
    ['json-file', { 'max-size': '1m', 'max-file': '1', compress: 'true' }, compress],
    ['local', { 'max-size': 'x' }, "invalid value for max-size: x: invalid size: 'x'"],
    [
      'local',
      { 'max-file': 'x' },
      'invalid value for max-file: x: strconv.Atoi: parsing "x": invalid syntax',
    ],
    ['local', { 'max-file': '1' }, 'compression cannot be enabled when max file count is 1'],
    ['local', { 'max-file': '-1', compress: 'false' }, 'max-file must not be negative'],
  ];
  for (const [Type, Config, message] of cases) {
    assert.throws(() => logLimits({ Type, Config }), { message });
  }
});

test('assertLogConfig() takes and refuses addresses of log servers as Docker does', () => {
  const missing = 'no such file or directory';
  const cases: [string, string, string | undefined][] = [
    ['syslog', '', undefined],
    ['syslog', 'tcp://', undefined],
    ['syslog', 'udp://[::1]:514', undefined],
    ['syslog', 'TCP+TLS://user@log.test:6514/path?query', undefined],
    ['syslog', 'tcp://h:bad', 'parse "tcp://h:bad": invalid port ":bad" after host'],
    ['syslog', 'tcp://[::1', `parse "tcp://[::1": missing ']' in host`],
    ['syslog', 'tcp://::1:514', 'address ::1:514: too many colons in address'],
    ['syslog', '127.0.0.1:514', 'parse "127.0.0.1:514": first path segment in URL cannot contain colon'],
    ['syslog', 'log.test:514', "unsupported scheme: 'log.test'"],
    ['syslog', '/dev/log', "unsupported scheme: ''"],
    ['syslog', 'unix:///nonexistent', `stat /nonexistent: ${missing}`],
    ['syslog', 'unixgram:///nonexistent', `stat /nonexistent: ${missing}`],
    ['fluentd', '', undefined],
    ['fluentd', ':24225', undefined],
    ['fluentd', 'tls://[::1]', undefined],
    ['fluentd', 'unix:///nonexistent', undefined],
    ['fluentd', 'unix:///', 'path is empty'],
    ['fluentd', 'udp://h', "unsupported scheme: 'udp'"],
    ['fluentd', 'h:24224/path', 'should not contain a path element'],
    ['fluentd', 'h:99999', 'invalid port: strconv.ParseUint: parsing "99999": value out of range'],
    ['fluentd', 'h:x', 'parse "tcp://h:x": invalid port ":x" after host'],
  ];
  for (const [Type, address, words] of cases) {
    const check = () => {
      assertLogConfig({ Type, Config: { [`${Type}-address`]: address } });
    };
    if (words === undefined) check();
    else
      assert.throws(check, {
        message: Type === 'fluentd' ? `invalid fluentd-address (${address}): ${words}` : words,
      });
  }
});

test('assertLogConfig() refuses unknown drivers, modes and options', () => {
  const cases: [string, Record<string, string>, string][] = [
    ['journald', {}, 'error looking up logging plugin journald: plugin "journald" not found'],
    ['json-file', { mode: 'x' }, 'logger: logging mode not supported: x'],
    [
      'json-file',
      { mode: 'non-blocking', 'max-buffer-size': 'x' },
      "error parsing option max-buffer-size: invalid size: 'x'",
    ],
    ['local', { 'cache-disabled': 'x' }, 'invalid value for option cache-disabled: x'],
    ['json-file', { 'max-files': '3' }, "unknown log opt 'max-files' for json-file log driver"],
  ];
  for (const [Type, Config, message] of cases) {
    assert.throws(
      () => {
        assertLogConfig({ Type, Config });
      },
      { code: 'invalidArgument', message },
    );
  }
  assertLogConfig({ Type: 'none', Config: { anything: 'x' } });
  assertLogConfig({ Type: 'json-file', Config: { mode: 'non-blocking', 'max-buffer-size': '4m' } });
});
