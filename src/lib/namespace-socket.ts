import { closeSync } from 'node:fs';
import koffi from 'koffi';
import { systemError } from './native.ts';
import { inNetworkNamespace } from './network-namespace.ts';

const libc = koffi.load('libc.so.6');
const socketCall = libc.func('int socket(int domain, int type, int protocol)');
const bindCall = libc.func('int bind(int fd, const uint8_t *address, unsigned int length)');
const listenCall = libc.func('int listen(int fd, int backlog)');
const getsocknameCall = libc.func(
  'int getsockname(int fd, _Out_ uint8_t *address, _Inout_ unsigned int *length)',
);

const inet = 2;
const types = { udp: 2, tcp: 1 } as const;
const nonBlocking = 0o4000;
const closeOnExec = 0o2000000;
const addressLength = 16;

export interface BoundSocket {
  /** The caller's, who gives it to a `net.Server` or `dgram.Socket`. */
  readonly fd: number;
  readonly port: number;
}

/**
 * A socket in the network namespace at `path`, where it stays: bound to an IPv4 address and a free port, listening if
 * it is a TCP one.
 */
export function bindInNamespace(path: string, kind: 'udp' | 'tcp', address: string): BoundSocket {
  // The namespace of a socket is where it was made; everything after may happen anywhere.
  const flags = types[kind] | nonBlocking | closeOnExec;
  const fd = inNetworkNamespace(path, () => checked('socket', socketCall(inet, flags, 0) as number));
  try {
    checked('bind', bindCall(fd, socketAddress(address), addressLength) as number);
    if (kind === 'tcp') checked('listen', listenCall(fd, 64) as number);
    const name = Buffer.alloc(addressLength);
    checked('getsockname', getsocknameCall(fd, name, [addressLength]) as number);
    return { fd, port: name.readUInt16BE(2) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** A `sockaddr_in` whose port is 0. */
function socketAddress(address: string): Buffer {
  const bytes = Buffer.alloc(addressLength);
  bytes.writeUInt16LE(inet, 0);
  bytes.set(address.split('.').map(Number), 4);
  return bytes;
}

function checked(call: string, result: number): number {
  if (result < 0) throw systemError(call, '');
  return result;
}
