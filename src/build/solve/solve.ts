import { EngineError } from '../../errors/index.ts';
import type { BuildListener } from '../builder.ts';
import type { PlannedStage } from '../plan/plan.ts';
import type { BuildContext, StageResult } from './build-context.ts';
import { OrderedProgress, type Section } from './progress.ts';
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
  let failure: { readonly error: unknown } | undefined;
  const start = (stage: PlannedStage, section: Section): Promise<StageResult> => {
    const result = runStage(context, stage, section);
    results.set(stage.index, result);
    result.then(section.end, (error: unknown) => {
      failure ??= { error };
      stop.abort(error);
    });
    return result;
  };
  const context: BuildContext = {
    ...shared,
    signal: AbortSignal.any([signal, stop.signal]),
    stage: (index, asker) => results.get(index) ?? start(plan.spare(index), withinOf(asker)),
  };
  announceGlobalArgs(context, listener);

  // Each stage waits for those it needs, which stand before it; so all can be started in order.
  for (const [position, stage] of plan.stages.entries()) void start(stage, progress.section(position));
  for (let settled = 0; settled < results.size; ) {
    settled = results.size;
    await Promise.allSettled(results.values());
  }
  if (failure !== undefined) {
    progress.flush();
    throw failure.error;
  }
  const target = plan.stages.at(-1);
  const result = target === undefined ? undefined : await results.get(target.index);
  if (result === undefined) throw new EngineError('internal', 'the plan has no target');
  return result;
}

/** The voice of a stage that ends before the asker does. Others may need it before the asker's turn: it never waits. */
function withinOf(asker: Section): Section {
  return { ...asker, ready: async () => undefined, end: () => undefined };
}

function announceGlobalArgs({ plan }: BuildContext, listener: BuildListener): void {
  for (const [index, arg] of plan.globalArgs.entries()) {
    listener.tell({ stream: `Step ${index + 1}/${plan.totalSteps} : ${arg.source.text}\n` });
  }
}
