import type { Client } from '../../client/index.ts';
import { EngineError } from '../../errors/index.ts';
import type { Context } from '../command.ts';
import { followSize } from './resize.ts';
import { forwardSignals } from './signals.ts';
import { joinStdio } from './stdio.ts';

export interface Attaching {
  readonly id: string;
  readonly tty: boolean;
  readonly streams: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean };
  readonly detachKeys: string;
  /** Whether the container gets the signals that this command gets. */
  readonly signals: boolean;
  /** What its end is. */
  readonly until: 'not-running' | 'next-exit' | 'removed';
  /** Runs once attached: starts it, or makes sure that it still runs. */
  readonly begin: () => Promise<void>;
}

/**
 * Joins this command with a container until that ends: its exit code, or `undefined` where the user has left it. Attach
 * and wait come first, so that no output and no exit is missed.
 */
export async function attachTo(
  context: Context,
  { containers }: Client,
  options: Attaching,
): Promise<number | undefined> {
  const { id, tty, streams, detachKeys, until } = options;
  const connection = await containers.attach(id, {
    ...streams,
    tty,
    ...(detachKeys === '' ? {} : { detachKeys }),
  });
  const waiting = await containers.wait(id, until);
  using _signals = options.signals ? forwardSignals((signal) => containers.kill(id, signal)) : undefined;
  const joined = joinStdio(context, connection, { tty, stdin: streams.stdin, detachKeys });
  // It is awaited once the container has begun; a failure before that is told there.
  joined.catch(() => undefined);
  try {
    await options.begin();
  } catch (error) {
    connection[Symbol.dispose]();
    await joined.catch(() => undefined);
    throw error;
  }
  using _size = tty ? followSize(context, (size) => containers.resize(id, size)) : undefined;
  if ((await joined) === 'detached') return undefined;
  const answer = await waiting.exit;
  if (answer.Error?.Message) throw new EngineError('internal', answer.Error.Message);
  return answer.StatusCode;
}
