/** A line of a container's output on its way to a log server. */
export interface LogLine {
  readonly stream: 'stdout' | 'stderr';
  /** RFC 3339 with nanoseconds, UTC. */
  readonly time: string;
  /** Without its line feed. */
  readonly data: Buffer;
  /** Of a line that is longer than 16 KiB, a piece. */
  readonly piece?: { readonly id: string; readonly ordinal: number; readonly last: boolean };
}

/** A connection to a log server, made with the first `send`. After a failed one it is disposed of. */
export interface LogSink extends AsyncDisposable {
  /** Resolves when all have been handed over, as far as the protocol can tell. */
  send(lines: readonly LogLine[], signal: AbortSignal): Promise<void>;
}
