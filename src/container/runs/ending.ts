import { isDeafProcess } from './deaf.ts';
import type { Ending, Run } from './run.ts';

/** What is asked now, with a signal, of a run whose first process has this pid. */
export async function endingBy(action: Ending['action'], signal: number, pid: number): Promise<Ending> {
  const deaf = await isDeafProcess(pid, signal);
  return { action, signal, at: new Date().toISOString(), deaf, forced: false };
}

/** Whether an end follows from what was asked, and did not come by chance after it. */
export function isAnswer(run: Pick<Run, 'exitCode' | 'finishedAt'>, { action, signal, at }: Ending): boolean {
  if (action !== 'kill' || run.exitCode === 128 + signal) return true;
  return Date.parse(run.finishedAt) - Date.parse(at) < 1000;
}
