import assert from 'node:assert/strict';
import test from 'node:test';
import { hostnameFile, hostsFile, isResolvedStub, resolvConf } from './files.ts';

test("resolvConf() copies the host's servers, search and options, without loopback ones", () => {
  const host = `# made by hand
nameserver 127.0.0.53
nameserver 10.0.0.2
nameserver ::1
nameserver fe80::1%eth0
search first.example
search a.example b.example
options edns0 trust-ad
`;
  assert.equal(
    resolvConf(host),
    'nameserver 10.0.0.2\nnameserver fe80::1%eth0\nsearch a.example b.example\noptions edns0 trust-ad\n',
  );
});

test("resolvConf() takes Google's servers where none is left", () => {
  assert.equal(resolvConf('nameserver 127.0.0.1\n'), 'nameserver 8.8.8.8\nnameserver 8.8.4.4\n');
  assert.equal(resolvConf(''), 'nameserver 8.8.8.8\nnameserver 8.8.4.4\n');
});

test("resolvConf() leaves the host's servers as they are on the host's network", () => {
  const host = 'nameserver 127.0.0.1\nnameserver 10.0.0.2\n';
  assert.equal(resolvConf(host, { onHostNetwork: true }), host);
  assert.equal(resolvConf('', { onHostNetwork: true }), '');
  assert.equal(resolvConf(host, { onHostNetwork: true, dns: ['1.1.1.1'] }), 'nameserver 1.1.1.1\n');
});

test('resolvConf() prefers what the user gave; a search of . means none', () => {
  const host = 'nameserver 10.0.0.2\nsearch a.example\noptions edns0\n';
  assert.equal(
    resolvConf(host, { dns: ['1.1.1.1'], search: ['.'], options: ['ndots:2'] }),
    'nameserver 1.1.1.1\noptions ndots:2\n',
  );
});

test("isResolvedStub() knows systemd-resolved's stub", () => {
  assert.ok(isResolvedStub('nameserver 127.0.0.53\n'));
  assert.ok(!isResolvedStub('nameserver 127.0.0.53\nnameserver 10.0.0.2\n'));
  assert.ok(!isResolvedStub(''));
});

test("hostsFile() has localhost, extra hosts and the container's names", () => {
  assert.equal(
    hostsFile({
      hostname: 'web',
      domainname: 'example.org',
      addresses: ['172.17.0.2'],
      extraHosts: ['db:10.0.0.5', 'host.docker.internal:host-gateway', 'six=[2001:db8::1]'],
      gateway: '172.17.0.1',
    }),
    '127.0.0.1\tlocalhost\n10.0.0.5\tdb\n172.17.0.1\thost.docker.internal\n2001:db8::1\tsix\n172.17.0.2\tweb.example.org web\n',
  );
  assert.match(hostsFile({ hostname: 'web', addresses: [], ipv6: true }), /^::1\tlocalhost ip6-localhost/m);
});

test('hostnameFile() ends with a newline', () => {
  assert.equal(hostnameFile('web'), 'web\n');
});
