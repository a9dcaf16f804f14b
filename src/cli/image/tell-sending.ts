import type { Readable } from 'node:stream';
import { counted } from '../../lib/counted.ts';
import type { ProgressSink } from '../output/progress.ts';
import { humanSize } from '../output/units.ts';

const leastMs = 100;

/** Passes a build's context on and tells how much is sent, in docker's words: in place on a terminal, else at its end. */
export function tellSending(tar: Readable, sink: ProgressSink): Readable {
  let sent = 0;
  let toldMs = 0;
  const tell = (end: string) =>
    sink.write(`Sending build context to Docker daemon ${humanSize(sent).padStart(8)}\r${end}`);
  const sending = counted(tar, (bytes) => {
    sent = bytes;
    const nowMs = Date.now();
    if (sink.isTTY !== true || nowMs - toldMs < leastMs) return;
    toldMs = nowMs;
    tell('');
  });
  return sending.once('end', () => tell('\r\n'));
}
