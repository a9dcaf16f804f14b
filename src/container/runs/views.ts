import type { ContainerRun } from '../../api/index.ts';
import type { Container, RunState } from '../record.ts';
import { signalName } from '../signals.ts';
import { isDeafProcess } from './deaf.ts';
import { explainRun } from './explain.ts';
import type { Ending } from './run.ts';
import type { NumberedRun } from './run-rows.ts';

/** A container's runs for clients, the one under way last. */
export async function runViews(
  { record, state }: Container,
  ended: readonly NumberedRun[],
  stopSignal: number,
): Promise<ContainerRun[]> {
  const facts = { memoryLimit: record.hostConfig.Memory };
  const views = ended.map(
    (run): ContainerRun => ({
      Number: run.number,
      StartedAt: run.startedAt,
      FinishedAt: run.finishedAt,
      ExitCode: run.exitCode,
      OOMKilled: run.oomKilled,
      Error: run.error,
      EndedBy: run.ending === undefined ? null : endingView(run.ending),
      Health: run.health ?? null,
      Log: run.log ?? [],
      Explanation: explainRun(run, facts),
    }),
  );
  if (!state.running || state.restarting) return views;
  const number = (ended.at(-1)?.number ?? 0) + 1;
  return [...views, { ...runningView(state), Number: number, Explanation: await nowOf(state, stopSignal) }];
}

function runningView(state: RunState): Omit<ContainerRun, 'Number' | 'Explanation'> {
  return {
    StartedAt: state.startedAt,
    FinishedAt: null,
    ExitCode: null,
    OOMKilled: state.oomKilled,
    Error: '',
    EndedBy: state.ending === undefined ? null : endingView(state.ending),
    Health: state.health?.Log.at(-1) ?? null,
    Log: [],
  };
}

function endingView({ action, signal, at, deaf, forced }: Ending): ContainerRun['EndedBy'] {
  return {
    Action: action,
    Signal: signal === 0 ? '' : `SIG${signalName(signal)}`,
    At: at,
    Deaf: deaf,
    Forced: forced,
  };
}

/** What to know of a run under way. */
async function nowOf({ pid }: RunState, stopSignal: number): Promise<string> {
  if (!(await isDeafProcess(pid, stopSignal))) return 'It runs.';
  const name = `SIG${signalName(stopSignal)}`;
  return `It runs. A stop will have to kill it: its first process has no handler for ${name} (--init adds one that has).`;
}
