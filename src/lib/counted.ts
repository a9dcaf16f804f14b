import { Readable } from 'node:stream';

/** Passes a stream on and tells how many bytes have passed. */
export function counted(stream: Readable, tell: (bytes: number) => void): Readable {
  let passed = 0;
  const pass = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of stream) {
      yield chunk as Buffer;
      passed += (chunk as Buffer).length;
      tell(passed);
    }
  };
  return Readable.from(pass(), { objectMode: false, highWaterMark: 1 << 20 });
}
