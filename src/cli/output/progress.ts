import type { ProgressMessage } from '../../api/index.ts';
import { EngineError } from '../../errors/index.ts';
import { humanSize } from './units.ts';

export interface ProgressSink {
  readonly write: (text: string) => unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** The exit code of a failed step travels in the `cause` of the error a progress stream ended with. */
export interface ProgressCause {
  readonly exitCode: number;
}

export function exitCodeOf(error: unknown): number | undefined {
  if (!(error instanceof EngineError)) return undefined;
  const { cause } = error;
  if (typeof cause !== 'object' || cause === null || !('exitCode' in cause)) return undefined;
  return typeof cause.exitCode === 'number' ? cause.exitCode : undefined;
}

/** How a daemon marks what a build's RUN wrote to standard error, for whoever reads it. */
const colouredError = /^\u001b\[91m(.*)\u001b\[0m$/s;

/**
 * Prints a progress stream: text without the daemon's colours elsewhere than on a terminal, states of layers in place
 * on a terminal and once per change elsewhere.
 * `onAux` gets the machine-readable messages. Rejects with the error the stream ends with.
 */
export async function printProgress(
  messages: AsyncIterable<ProgressMessage>,
  sink: ProgressSink,
  onAux: (aux: object) => void = () => undefined,
): Promise<void> {
  const rows = new Map<string, number>();
  const lastStatus = new Map<string, string>();
  for await (const message of messages) {
    if (message.errorDetail !== undefined || message.error !== undefined) throw failureOf(message);
    if (message.aux !== undefined) onAux(message.aux);
    if (message.stream !== undefined)
      sink.write(sink.isTTY === true ? message.stream : message.stream.replace(colouredError, '$1'));
    if (message.status === undefined) continue;
    const { id } = message;
    if (id === undefined || id === '') {
      rows.clear();
      sink.write(`${message.status}\n`);
    } else if (sink.isTTY === true) writeRow(sink, rows, message);
    else if (message.progressDetail?.current === undefined && lastStatus.get(id) !== message.status) {
      lastStatus.set(id, message.status);
      sink.write(`${id}: ${message.status}\n`);
    }
  }
}

function failureOf(message: ProgressMessage): EngineError {
  const text = message.errorDetail?.message ?? message.error ?? 'unknown error';
  const cause: ProgressCause = { exitCode: message.errorDetail?.code ?? 1 };
  return new EngineError('internal', text, { cause });
}

/** Moves up to the layer's line, writes it anew and comes back. */
function writeRow(sink: ProgressSink, rows: Map<string, number>, message: ProgressMessage): void {
  const { id = '', status = '' } = message;
  const line = `${id}: ${status} ${barOf(message, sink.columns ?? 80)}`.trimEnd();
  const row = rows.get(id);
  if (row === undefined) {
    rows.set(id, rows.size);
    sink.write(`${line}\n`);
    return;
  }
  const up = rows.size - row;
  sink.write(`\u001b[${up}A\u001b[2K\r${line}\u001b[${up}B\r`);
}

function barOf({ progressDetail, progress }: ProgressMessage, columns: number): string {
  const { current = 0, total = 0, units } = progressDetail ?? {};
  if (current <= 0) return progress ?? '';
  const amount = (value: number) => (units === undefined ? humanSize(value) : `${value} ${units}`);
  if (total <= 0) return amount(current);
  const width = columns > 110 ? 50 : 20;
  const filled = Math.min(width, Math.floor((current / total) * width));
  const bar = `[${'='.repeat(filled)}${filled < width ? '>' : ''}${' '.repeat(Math.max(0, width - filled - 1))}]`;
  return `${bar} ${amount(current)}/${amount(total)}`;
}
