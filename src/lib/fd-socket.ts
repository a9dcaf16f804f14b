import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import koffi from 'koffi';
import { openPidfd } from './pidfd.ts';

/**
 * Sockets and descriptors that Node's own modules cannot make: each becomes a `net.Socket`, so that reading,
 * waiting and back-pressure are libuv's. Errors carry `code` (the errno's name), like Node's own.
 */
const libc = koffi.load('libc.so.6');
const socketCall = libc.func('int socket(int domain, int type, int protocol)');
const connectCall = libc.func('int connect(int fd, const uint8_t *address, unsigned int length)');
const dupCall = libc.func('int dup3(int from, int to, int flags)');

const unix = 1;
const stream = 1;
const datagram = 2;
const seqpacket = 5;
const nonBlocking = 0o4000;
const closeOnExec = 0o2000000;

/**
 * Connects to a SOCK_SEQPACKET socket. Each write is one packet (at most 64 KiB; never let two be joined: await
 * one's callback before the next) and each `data` event is one packet. The path may be of any length.
 */
export async function connectSeqpacket(directory: string, name: string): Promise<Socket> {
  const fd = checked('socket', socketCall(unix, seqpacket | nonBlocking | closeOnExec, 0) as number);
  try {
    const parent = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await connect(fd, socketAddress(`/proc/self/fd/${parent}/${name}`));
    } finally {
      closeSync(parent);
    }
    return adopt(fd);
  } finally {
    closeSync(fd);
  }
}

/** Connects to a SOCK_DGRAM socket in the file system; each write is one datagram, as with `connectSeqpacket`. */
export async function connectDatagram(path: string): Promise<Socket> {
  const fd = checked('socket', socketCall(unix, datagram | nonBlocking | closeOnExec, 0) as number);
  try {
    await connect(fd, socketAddress(path));
    return adopt(fd);
  } finally {
    closeSync(fd);
  }
}

/** Watches a process that need not be a child. `ended` resolves when it has ended, and is pending after dispose. */
export interface ProcessWatch extends Disposable {
  readonly ended: Promise<void>;
}

/** `undefined` if there is no such process. */
export function watchProcess(pid: number): ProcessWatch | undefined {
  const fd = openPidfd(pid);
  if (fd === undefined) return undefined;
  const watched = adopt(fd);
  closeSync(fd);
  const ended = Promise.withResolvers<void>();
  // A pidfd becomes readable when the process ends, and reading it is then EINVAL.
  watched.on('error', () => {
    ended.resolve();
  });
  watched.resume();
  return {
    ended: ended.promise,
    [Symbol.dispose]: () => {
      watched.destroy();
    },
  };
}

/** A `net.Socket` on a copy of `fd`. Node accepts only stream sockets by number, so one lends its place. */
function adopt(fd: number): Socket {
  const place = checked('socket', socketCall(unix, stream | nonBlocking | closeOnExec, 0) as number);
  const socket = new Socket({ fd: place, readable: true, writable: true, allowHalfOpen: true });
  checked('dup3', dupCall(fd, place, closeOnExec) as number);
  return socket;
}

async function connect(fd: number, address: Buffer): Promise<void> {
  // The queue of waiting connections is short (conmon's is 10), and a full one answers EAGAIN.
  for (let attempt = 0; ; attempt += 1) {
    if ((connectCall(fd, address, address.length) as number) === 0) return;
    const error = systemError('connect');
    if (error.code !== 'EAGAIN' || attempt === 200) throw error;
    await delay(25);
  }
}

function socketAddress(path: string): Buffer {
  const address = Buffer.alloc(110);
  address.writeUInt16LE(unix, 0);
  address.write(path, 2);
  return address;
}

function checked(call: string, result: number): number {
  if (result < 0) throw systemError(call);
  return result;
}

function systemError(call: string): Error & { readonly code: string } {
  const number = koffi.errno();
  const name = Object.entries(koffi.os.errno).find(([, value]) => value === number)?.[0] ?? `E${number}`;
  return Object.assign(new Error(`${name}: ${call}`), { code: name });
}
