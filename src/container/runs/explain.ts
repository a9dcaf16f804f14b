import { signalName } from '../signals.ts';
import { isAnswer } from './ending.ts';
import type { Ending, Run } from './run.ts';

/** What of the container a reader of its end wants to know. */
export interface RunFacts {
  /** Bytes; 0 for none. */
  readonly memoryLimit: number;
}

/** Why a run ended, in whole sentences. */
export function explainRun(run: Run, facts: RunFacts): string {
  return [reason(run, facts), lastHealth(run)].filter((sentence) => sentence !== '').join(' ');
}

function reason(run: Run, { memoryLimit }: RunFacts): string {
  const { exitCode, ending } = run;
  if (run.error !== '') return `It did not start: ${run.error}.`;
  if (ending?.action === 'lost') {
    return 'Nobody saw its end: the machine, or what watched over it, went down with it.';
  }
  const noted = run.oomKilled
    ? ` The kernel had killed a process in it for want of memory: ${shortage(memoryLimit)}.`
    : '';
  if (ending?.forced === true) return forced(ending) + noted;
  const killed = run.oomKilled && exitCode === 137 && ending?.signal !== 9;
  if (ending !== undefined && isAnswer(run, ending) && !killed) {
    return `It ended as it was told to: ${told(ending)}, exit code ${exitCode}.${noted}`;
  }
  if (run.oomKilled) return outOfMemory(exitCode, memoryLimit);
  return byItself(run);
}

function outOfMemory(exitCode: number, memoryLimit: number): string {
  return exitCode === 137
    ? `The kernel killed it for want of memory: ${shortage(memoryLimit)}.`
    : `The kernel killed a process in it for want of memory: ${shortage(memoryLimit)}. Its main process then ended with exit code ${exitCode}.`;
}

function shortage(memoryLimit: number): string {
  return memoryLimit > 0
    ? `it had reached its limit of ${Math.round(memoryLimit / 2 ** 20)} MiB (--memory)`
    : 'the machine was short of it';
}

function forced(ending: Ending): string {
  const cause = ending.deaf
    ? `its first process has no handler for ${name(ending)}, and the kernel drops such signals (--init adds a process that has, and --stop-deaf=kill does not wait)`
    : 'it did not end in time';
  return `It was killed (SIGKILL) after ${told(ending)}: ${cause}.`;
}

function byItself({ exitCode, ending }: Run): string {
  const before = ending === undefined ? '' : ` The last it was told: ${told(ending)}.`;
  if (exitCode === 0) return `It came to its end by itself, exit code 0.${before}`;
  if (exitCode > 128 && exitCode <= 128 + 64) {
    return `SIG${signalName(exitCode - 128)} ended its main process (exit code ${exitCode}), and it was not the engine that sent it.${before}`;
  }
  return `Its main process failed: exit code ${exitCode}.${before}`;
}

function told(ending: Ending): string {
  return ending.signal === 0 ? ending.action : `${ending.action} (${name(ending)})`;
}

function name({ signal }: Ending): string {
  return `SIG${signalName(signal)}`;
}

function lastHealth({ health }: Run): string {
  if (health === undefined || health.ExitCode === 0) return '';
  const output = health.Output.trim().split('\n')[0] ?? '';
  return `Its last health check had failed with exit code ${health.ExitCode}${output === '' ? '' : `: ${output}`}.`;
}
