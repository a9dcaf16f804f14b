import { pipeline, type Readable, Transform } from 'node:stream';

/** Passes a stream on and tells how many bytes have passed. Destroying it destroys the stream. */
export function counted(stream: Readable, tell: (bytes: number) => void): Readable {
  let passed = 0;
  const counting = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      passed += chunk.length;
      tell(passed);
      done(null, chunk);
    },
  });
  // Either one's error destroys the other, and so reaches whoever reads.
  pipeline(stream, counting, () => undefined);
  return counting;
}
