import { closeSync } from 'node:fs';
import koffi from 'koffi';
import { systemError } from './native.ts';

const libc = koffi.load('libc.so.6');
const socketCall = libc.func('int socket(int domain, int type, int protocol)');
const sendCall = libc.func('long send(int fd, const uint8_t *message, size_t length, int flags)');
const recvCall = libc.func('long recv(int fd, _Out_ uint8_t *buffer, size_t length, int flags)');

const netlink = 16;
const raw = 3;
const closeOnExec = 0o2000000;
const dontWait = 0x40;
const headerLength = 16;
const messageType = { error: 2, done: 3 } as const;

export const NetlinkFlag = { request: 0x1, acknowledge: 0x4, dump: 0x300 } as const;

export interface NetlinkRequest {
  readonly type: number;
  /** A sum of `NetlinkFlag`s: `dump` or `acknowledge`, for a kernel that ends its answer. */
  readonly flags: number;
  readonly body: Buffer;
}

/** A socket to one part of the kernel, in this thread's network namespace. Its answers are ready when `ask` reads them. */
export class NetlinkSocket implements Disposable {
  readonly #fd: number;

  constructor(protocol: number) {
    this.#fd = socketCall(netlink, raw | closeOnExec, protocol) as number;
    if (this.#fd < 0) throw systemError('socket', 'netlink');
  }

  /** The bodies of what the kernel answers. Throws with the errno's name as `code` when it refuses. */
  ask({ type, flags, body }: NetlinkRequest): Buffer[] {
    const header = Buffer.alloc(headerLength);
    header.writeUInt32LE(headerLength + body.length, 0);
    header.writeUInt16LE(type, 4);
    header.writeUInt16LE(flags | NetlinkFlag.request, 6);
    const message = Buffer.concat([header, body]);
    if ((sendCall(this.#fd, message, message.length, 0) as number) < 0) throw systemError('send', 'netlink');
    const answers: Buffer[] = [];
    for (;;) {
      for (const answer of this.#receive()) {
        if (answer.type === messageType.done || answer.type === messageType.error) {
          assertNoError(answer.body);
          return answers;
        }
        answers.push(answer.body);
      }
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  *#receive(): Generator<{ readonly type: number; readonly body: Buffer }> {
    const buffer = Buffer.alloc(65_536);
    const length = recvCall(this.#fd, buffer, buffer.length, dontWait) as number;
    if (length < 0) throw systemError('recv', 'netlink');
    for (let at = 0; at + headerLength <= length; ) {
      const size = buffer.readUInt32LE(at);
      yield { type: buffer.readUInt16LE(at + 4), body: buffer.subarray(at + headerLength, at + size) };
      at += aligned(size);
    }
  }
}

/** One attribute, its payload padded; `nested` for a payload of attributes. */
export function attribute(type: number, ...payload: readonly Buffer[]): Buffer {
  const length = 4 + payload.reduce((sum, part) => sum + part.length, 0);
  const header = Buffer.alloc(4);
  header.writeUInt16LE(length, 0);
  header.writeUInt16LE(type, 2);
  return Buffer.concat([header, ...payload], aligned(length));
}

/** An attribute made of attributes. */
export function nested(type: number, ...attributes: readonly Buffer[]): Buffer {
  return attribute(type | 0x8000, ...attributes);
}

/** The payloads of the attributes in a buffer, by type. */
export function attributesOf(buffer: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= buffer.length; ) {
    const length = buffer.readUInt16LE(at);
    found.set(buffer.readUInt16LE(at + 2) & 0x3fff, buffer.subarray(at + 4, at + length));
    at += aligned(length);
  }
  return found;
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}

function assertNoError(body: Buffer): void {
  const errno = -body.readInt32LE(0);
  if (errno !== 0) throw systemError('netlink', 'request', errno);
}
