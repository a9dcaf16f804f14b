import type { TerminalSize } from '../../client/index.ts';
import { EngineError } from '../../errors/index.ts';
import type { Context } from '../command.ts';

/** The size of this command's terminal; `undefined` without one. */
export function terminalSize(context: Context): TerminalSize | undefined {
  const { rows, columns } = context.stdout;
  return rows > 0 && columns > 0 ? { height: rows, width: columns } : undefined;
}

/**
 * Gives the process the size of our terminal now and after each change. The first try may come too early or too late
 * for the process; that is no failure of the command.
 */
export function followSize(context: Context, resize: (size: TerminalSize) => Promise<void>): Disposable {
  const apply = () => {
    const size = terminalSize(context);
    if (size !== undefined) resize(size).catch(ignoreDaemonError);
  };
  apply();
  process.on('SIGWINCH', apply);
  return {
    [Symbol.dispose]() {
      process.off('SIGWINCH', apply);
    },
  };
}

/** A program draws anew when the size changes: it is another one for a moment, until `followSize` sets the right one. */
export async function forceRedraw(
  context: Context,
  resize: (size: TerminalSize) => Promise<void>,
): Promise<void> {
  const size = terminalSize(context);
  if (size === undefined) return;
  await resize({ height: size.height + 1, width: size.width + 1 }).catch(ignoreDaemonError);
}

function ignoreDaemonError(error: unknown): void {
  if (!(error instanceof EngineError)) throw error;
}
