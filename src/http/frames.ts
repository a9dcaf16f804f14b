const numberOf = { stdin: 0, stdout: 1, stderr: 2, error: 3 } as const;

/** Docker's multiplexing: stream number, three zeroes, big-endian length, payload. */
export function frame(stream: keyof typeof numberOf, data: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(8 + data.length);
  framed.writeUInt32BE(numberOf[stream] << 24, 0);
  framed.writeUInt32BE(data.length, 4);
  data.copy(framed, 8);
  return framed;
}

export const ContentType = {
  raw: 'application/vnd.docker.raw-stream',
  multiplexed: 'application/vnd.docker.multiplexed-stream',
} as const;

/** Clients older than API 1.42 know one content type only. */
export function streamType(tty: boolean, api: number): string {
  return tty || api < 42 ? ContentType.raw : ContentType.multiplexed;
}
