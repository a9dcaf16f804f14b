import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostAndPort, parseGoUrl } from './go-url.ts';

// What dockerd 20.10 says of these as the address of a log server.

test('parseGoUrl() takes addresses apart as Go does', () => {
  const cases: [string, string, string, string][] = [
    ['tcp://host:514', 'tcp', 'host:514', ''],
    ['TCP://h', 'tcp', 'h', ''],
    ['tcp+tls://u:p@h:1/path?q#f', 'tcp+tls', 'h:1', '/path'],
    ['tcp://h:1?x', 'tcp', 'h:1', ''],
    ['tcp://[::1]:5', 'tcp', '[::1]:5', ''],
    ['tcp://::1:514', 'tcp', '::1:514', ''],
    ['unix:///dev/my%20log', 'unix', '', '/dev/my log'],
    ['unix:/dev/log', 'unix', '', '/dev/log'],
    ['h:514', 'h', '', ''],
    ['/dev/log', '', '', '/dev/log'],
  ];
  for (const [text, scheme, host, path] of cases)
    assert.deepEqual(parseGoUrl(text), { scheme, host, path }, text);
});

test('parseGoUrl() refuses in Go’s words', () => {
  const cases: [string, string][] = [
    ['tcp://h:bad', 'invalid port ":bad" after host'],
    ['tcp://[::1', "missing ']' in host"],
    ['udp://a%zz', 'invalid URL escape "%zz"'],
    ['tcp://h h', 'invalid character " " in host name'],
    ['127.0.0.1:514', 'first path segment in URL cannot contain colon'],
    ['://h', 'missing protocol scheme'],
    ['tcp://h\n', 'net/url: invalid control character in URL'],
  ];
  for (const [text, words] of cases)
    assert.throws(() => parseGoUrl(text), { message: `parse ${JSON.stringify(text)}: ${words}` });
});

test('hostAndPort() leaves out brackets', () => {
  const cases: [string, string, string][] = [
    ['tcp://h', 'h', ''],
    ['tcp://h:1', 'h', '1'],
    ['tcp://:1', '', '1'],
    ['tcp://[::1]', '::1', ''],
    ['tcp://[::1]:2', '::1', '2'],
  ];
  for (const [text, host, port] of cases)
    assert.deepEqual(hostAndPort(parseGoUrl(text)), { host, port }, text);
});
