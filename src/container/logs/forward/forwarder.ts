import { renameSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { hasErrno } from '../../../errors/index.ts';
import type { LogPosition, LogReader } from '../../../runtime/index.ts';
import { Lines } from './lines.ts';
import type { LogLine, LogSink } from './sink.ts';

const retryMs = { first: 250, most: 10_000 };
const saveEveryMs = 500;

export interface ForwarderOptions {
  readonly reader: Pick<LogReader, 'from'>;
  readonly path: string;
  /** A file that tells how far the log was handed over. */
  readonly positionPath: string;
  readonly connect: () => Promise<LogSink>;
  /** Told once of each failure that follows on a success. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * Hands a log over to a log server, in order and at least once, from where an earlier one left off: what was sent within
 * the last half second before a kill is sent again. A server that is away is tried again for ever; what limits take
 * from the log meanwhile is lost.
 */
export class Forwarder {
  readonly #options: ForwarderOptions;
  #sink: LogSink | undefined;
  #position: LogPosition = { part: 0, offset: 0 };
  #saving: NodeJS.Timeout | undefined;
  #failing = false;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /** Resolves when all that was written before `ended` was aborted is handed over; rejects when the signal aborts. */
  async run(ended: AbortSignal, signal: AbortSignal): Promise<void> {
    const { reader, path, positionPath } = this.#options;
    const lines = new Lines();
    this.#position = await readPosition(positionPath);
    let read = this.#position;
    try {
      for await (const { records, end } of reader.from(path, this.#position, { ended, signal })) {
        await this.#send(lines.add(records), signal);
        read = end;
        this.#position = lines.resumeAt(end);
        this.#saveSoon();
      }
      await this.#send(lines.rest(), signal);
      this.#position = read;
    } finally {
      clearTimeout(this.#saving);
      this.#save();
      await this.#sink?.[Symbol.asyncDispose]();
    }
  }

  async #send(lines: readonly LogLine[], signal: AbortSignal): Promise<void> {
    if (lines.length === 0) return;
    for (let pauseMs = retryMs.first; ; pauseMs = Math.min(pauseMs * 2, retryMs.most)) {
      signal.throwIfAborted();
      try {
        this.#sink ??= await this.#options.connect();
        await this.#sink.send(lines, signal);
        this.#failing = false;
        return;
      } catch (error) {
        await this.#sink?.[Symbol.asyncDispose]();
        this.#sink = undefined;
        signal.throwIfAborted();
        if (!this.#failing) this.#options.onFailure(error);
        this.#failing = true;
      }
      await delay(pauseMs, undefined, { signal, ref: false });
    }
  }

  #saveSoon(): void {
    this.#saving ??= setTimeout(() => {
      this.#saving = undefined;
      this.#save();
    }, saveEveryMs);
  }

  /** Not synced: a power cut may send lines again, or more of them. */
  #save(): void {
    const { positionPath } = this.#options;
    try {
      writeFileSync(`${positionPath}.tmp`, JSON.stringify(this.#position), { mode: 0o600 });
      renameSync(`${positionPath}.tmp`, positionPath);
    } catch (error) {
      // The container was removed.
      if (!hasErrno(error, 'ENOENT')) this.#options.onFailure(error);
    }
  }
}

async function readPosition(path: string): Promise<LogPosition> {
  try {
    const { part, offset } = JSON.parse(await readFile(path, 'utf8')) as LogPosition;
    if (Number.isSafeInteger(part) && Number.isSafeInteger(offset)) return { part, offset };
  } catch (error) {
    if (!hasErrno(error, 'ENOENT') && !(error instanceof SyntaxError)) throw error;
  }
  return { part: 0, offset: 0 };
}
