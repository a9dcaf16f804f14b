import { EngineError } from '../../errors/index.ts';
import type { BuildListener } from '../builder.ts';
import type { BuildContext, StageResult } from './build-context.ts';
import { OrderedProgress } from './progress.ts';
import { runStage } from './run-stage.ts';

/**
 * Runs the stages of a plan, independent ones at once, and gives the target's result. The first failure stops the
 * others; nothing is left running when it returns.
 */
export async function solve(
  shared: Omit<BuildContext, 'stage' | 'signal'>,
  listener: BuildListener,
  signal: AbortSignal,
): Promise<StageResult> {
  const { plan } = shared;
  const stop = new AbortController();
  const progress = new OrderedProgress(listener);
  const results = new Map<number, Promise<StageResult>>();
  const context: BuildContext = {
    ...shared,
    signal: AbortSignal.any([signal, stop.signal]),
    stage: async (index) => {
      const result = results.get(index);
      if (result === undefined) {
        throw new EngineError(
          'invalidArgument',
          `Cannot copy from stage ${index}: the target does not need it`,
        );
      }
      return result;
    },
  };
  announceGlobalArgs(context, listener);

  let failure: { readonly error: unknown } | undefined;
  // Each stage waits for those it needs, which stand before it; so all can be started in order.
  for (const [position, stage] of plan.stages.entries()) {
    const section = progress.section(position);
    const result = runStage(context, stage, section);
    results.set(stage.index, result);
    result.then(section.end, (error: unknown) => {
      failure ??= { error };
      stop.abort(error);
    });
  }
  await Promise.allSettled(results.values());
  if (failure !== undefined) {
    progress.flush();
    throw failure.error;
  }
  const target = plan.stages.at(-1);
  const result = target === undefined ? undefined : await results.get(target.index);
  if (result === undefined) throw new EngineError('internal', 'the plan has no target');
  return result;
}

function announceGlobalArgs({ plan }: BuildContext, listener: BuildListener): void {
  for (const [index, arg] of plan.globalArgs.entries()) {
    listener.tell({ stream: `Step ${index + 1}/${plan.totalSteps} : ${arg.source.text}\n` });
  }
}
