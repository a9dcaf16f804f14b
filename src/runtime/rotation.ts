import type { LogFileIdentity } from './oci-runtime.ts';

/** How much of a log is kept. */
export interface LogLimits {
  /** A file of more bytes is rotated. */
  readonly maxBytes: number;
  /** All files together: with 1 a full file is dropped. */
  readonly maxFiles: number;
  /** Rotated files are gzipped. */
  readonly compress: boolean;
}

export interface LogFilesOptions {
  /** Of the file that the monitor writes; absolute. */
  readonly path: string;
  readonly limits: LogLimits;
}

/**
 * The files of one log. An engine may be killed during any of these and the next one call it again: no file is lost,
 * none is there twice for a reader. `rotate` and `trim` of one log are not called at the same time, nor is `compress`
 * by itself; readers need not be kept away.
 */
export interface LogFiles {
  /**
   * Puts an empty file in the place of the one written to, which becomes the newest rotated one. `reopen` makes the
   * monitor go on in a new file (see `OciRuntime.reopenLog`).
   */
  rotate(reopen: (log: LogFileIdentity) => Promise<void>): Promise<void>;
  /** Drops the oldest output beyond the limits; while the container runs, one file of them is left to the next output. */
  trim(): Promise<void>;
  /** Compresses rotated files, if the limits say so. */
  compress(signal: AbortSignal): Promise<void>;
}
