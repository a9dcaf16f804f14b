import { Writable } from 'node:stream';

/** Takes everything and keeps nothing: the input of a process without stdin. */
export function discard(): Writable {
  return new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
}
