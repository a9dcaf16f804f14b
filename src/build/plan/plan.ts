import { EngineError, messageOf } from '../../errors/index.ts';
import { hostPlatform, type Platform, parsePlatform } from '../../oci/index.ts';
import type { ArgInstruction, CopyInstruction, StageInstruction } from '../instructions/instruction.ts';
import type { Dockerfile } from '../parser/ast.ts';
import { parseError } from '../parser/parse-error.ts';
import { expandWord } from '../shell/expand.ts';
import { type BuildArgs, platformArgs } from './build-args.ts';
import { findStage, type Stage, stagesOf } from './stages.ts';

/** What a stage starts from. */
export type Base =
  | { readonly kind: 'scratch' }
  | { readonly kind: 'stage'; readonly index: number }
  | { readonly kind: 'image'; readonly reference: string };

/** Where `COPY --from` copies from. */
export type CopyOrigin =
  | { readonly kind: 'stage'; readonly index: number }
  | { readonly kind: 'image'; readonly reference: string };

export interface PlannedStage {
  /** Position in the file. */
  readonly index: number;
  readonly base: Base;
  readonly platform?: Platform;
  /** FROM as written. */
  readonly text: string;
  readonly instructions: readonly StageInstruction[];
  /** Number of its FROM among the steps, from 1; of a stage that only a trigger needs there is none. */
  readonly firstStep?: number;
  /** Stages that must be done before or while it runs. */
  readonly needs: readonly number[];
}

/** What a build will do: a pure function of the Dockerfile and the request. */
export interface BuildPlan {
  readonly escape: string;
  readonly globalArgs: readonly ArgInstruction[];
  /** Values of the ARGs before the first FROM, and of the automatic ones. */
  readonly globalValues: ReadonlyMap<string, string>;
  /** The stages the target needs, in the file's order; the target is last. */
  readonly stages: readonly PlannedStage[];
  readonly totalSteps: number;
  /** Every ARG name of the file. */
  readonly declaredArgs: ReadonlySet<string>;
  /** A stage that only a trigger of a base image turns out to need: no plan can know. */
  spare(index: number): PlannedStage;
  /** What a COPY's `--from` means in a stage of the plan. */
  originOf(copy: CopyInstruction, stageIndex: number): CopyOrigin | undefined;
}

export interface PlanRequest {
  readonly buildArgs: BuildArgs;
  readonly labels: Readonly<Record<string, string>>;
  readonly target: string;
  readonly platform?: Platform;
}

/** Throws `invalidArgument` for a file that cannot be built. */
export function planBuild(dockerfile: Dockerfile, request: PlanRequest): BuildPlan {
  const { globalArgs, stages } = stagesOf(dockerfile);
  const globalValues = globalValuesOf(globalArgs, request, dockerfile.escape);
  const target = targetOf(stages, request.target);
  const labelled = stages.map((stage, index) =>
    index === target ? withLabels(stage, request.labels) : stage,
  );
  const planned = new Map<number, PlannedStage>();

  const planStage = (index: number): PlannedStage => {
    const stage = labelled[index];
    if (stage === undefined) throw new EngineError('internal', `Cannot plan stage ${index}: there is none`);
    const base = baseOf(labelled, index, { values: globalValues, escape: dockerfile.escape });
    const needs = [
      ...(base.kind === 'stage' ? [base.index] : []),
      ...stage.instructions.flatMap((instruction) => {
        const origin = instruction.kind === 'copy' ? originOf(labelled, instruction, index) : undefined;
        return origin?.kind === 'stage' ? [origin.index] : [];
      }),
    ];
    const platform = platformOf(stage, { values: globalValues, escape: dockerfile.escape });
    return {
      index,
      base,
      ...(platform === undefined ? {} : { platform }),
      text: stage.from.source.text,
      instructions: stage.instructions,
      needs,
    };
  };
  const visit = (index: number): void => {
    if (planned.has(index)) return;
    const stage = planStage(index);
    for (const need of stage.needs) visit(need);
    planned.set(index, stage);
  };
  visit(target);

  let step = globalArgs.length + 1;
  const ordered = [...planned.values()]
    .sort((a, b) => a.index - b.index)
    .map((stage) => {
      const firstStep = step;
      step += 1 + stage.instructions.length;
      return { ...stage, firstStep };
    });
  return {
    escape: dockerfile.escape,
    globalArgs,
    globalValues,
    stages: ordered,
    totalSteps: step - 1,
    declaredArgs: declaredArgsOf(globalArgs, labelled),
    spare: planStage,
    originOf: (copy, stageIndex) => originOf(labelled, copy, stageIndex),
  };
}

interface Scope {
  readonly values: ReadonlyMap<string, string>;
  readonly escape: string;
}

function expandIn(text: string, line: number, scope: Scope): string {
  try {
    return expandWord(text, { escape: scope.escape, variables: (name) => scope.values.get(name) });
  } catch (error) {
    throw parseError(line, `failed to process ${JSON.stringify(text)}: ${messageOf(error)}`, error);
  }
}

function globalValuesOf(
  globalArgs: readonly ArgInstruction[],
  request: PlanRequest,
  escape: string,
): ReadonlyMap<string, string> {
  const values = new Map(platformArgs(request.platform));
  for (const key of values.keys()) {
    const given = request.buildArgs[key];
    if (given !== undefined && given !== null) values.set(key, given);
  }
  for (const { args, source } of globalArgs) {
    for (const { key, value } of args) {
      const given = request.buildArgs[key];
      const result =
        given ?? (value === undefined ? undefined : expandIn(value, source.line, { values, escape }));
      if (result !== undefined) values.set(key, result);
    }
  }
  return values;
}

function targetOf(stages: readonly Stage[], target: string): number {
  if (target === '') return stages.length - 1;
  const index = findStage(stages, target);
  if (index === -1) {
    throw new EngineError('invalidArgument', `target stage ${JSON.stringify(target)} could not be found`);
  }
  return index;
}

function baseOf(stages: readonly Stage[], index: number, scope: Scope): Base {
  const { from } = stages[index] ?? {};
  if (from === undefined) throw new EngineError('internal', `Cannot plan stage ${index}: there is none`);
  const reference = expandIn(from.base, from.source.line, scope);
  if (reference === '') {
    throw parseError(from.source.line, `base name (${from.base}) should not be blank`);
  }
  if (reference === 'scratch') return { kind: 'scratch' };
  const named = stages.slice(0, index).findLastIndex((stage) => stage.from.name === reference.toLowerCase());
  return named === -1 ? { kind: 'image', reference } : { kind: 'stage', index: named };
}

function platformOf({ from }: Stage, scope: Scope): Platform | undefined {
  if (from.platform === undefined) return undefined;
  const text = expandIn(from.platform, from.source.line, scope);
  return text === '' ? hostPlatform() : parsePlatform(text);
}

function originOf(stages: readonly Stage[], copy: CopyInstruction, index: number): CopyOrigin | undefined {
  if (copy.from === undefined) return undefined;
  const found = findStage(stages, copy.from, index);
  if (found !== -1) return { kind: 'stage', index: found };
  const later = findStage(stages, copy.from);
  if (later === index) {
    throw parseError(copy.source.line, `invalid from flag value ${copy.from}: refers to current build stage`);
  }
  if (/^\d+$/.test(copy.from)) {
    throw parseError(copy.source.line, `invalid from flag value ${copy.from}: stage index out of bounds`);
  }
  return { kind: 'image', reference: copy.from };
}

function withLabels(stage: Stage, labels: Readonly<Record<string, string>>): Stage {
  const keys = Object.keys(labels).sort();
  if (keys.length === 0) return stage;
  // The values are taken as they are: single quotes keep the expansion away.
  const literal = (text: string) => `'${text.replaceAll("'", `'"'"'`)}'`;
  const pairs = keys.map((key) => ({ key: literal(key), value: literal(labels[key] ?? '') }));
  const text = `LABEL ${keys.map((key) => `${key}=${labels[key] ?? ''}`).join(' ')}`;
  return {
    ...stage,
    instructions: [...stage.instructions, { kind: 'label', pairs, source: { line: 0, text } }],
  };
}

function declaredArgsOf(globalArgs: readonly ArgInstruction[], stages: readonly Stage[]): Set<string> {
  const all = [...globalArgs, ...stages.flatMap((stage) => stage.instructions)];
  return new Set(all.flatMap((one) => (one.kind === 'arg' ? one.args.map((arg) => arg.key) : [])));
}
