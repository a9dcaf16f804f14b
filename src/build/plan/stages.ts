import { EngineError } from '../../errors/index.ts';
import type { ArgInstruction, FromInstruction, StageInstruction } from '../instructions/instruction.ts';
import { parseInstruction } from '../instructions/parse-instruction.ts';
import type { Dockerfile } from '../parser/ast.ts';
import { parseError } from '../parser/parse-error.ts';

/** FROM and what follows it up to the next one. */
export interface Stage {
  readonly from: FromInstruction;
  readonly instructions: readonly StageInstruction[];
}

export interface Stages {
  /** The ARGs before the first FROM. */
  readonly globalArgs: readonly ArgInstruction[];
  readonly stages: readonly Stage[];
}

/** Types every instruction and groups them. Throws `invalidArgument`, "dockerfile parse error on line N: ...". */
export function stagesOf(dockerfile: Dockerfile): Stages {
  const globalArgs: ArgInstruction[] = [];
  const stages: { from: FromInstruction; instructions: StageInstruction[] }[] = [];
  for (const node of dockerfile.nodes) {
    const instruction = parseInstruction(node);
    const current = stages.at(-1);
    if (instruction.kind === 'from') stages.push({ from: instruction, instructions: [] });
    else if (current !== undefined) current.instructions.push(instruction);
    else if (instruction.kind === 'arg') globalArgs.push(instruction);
    else throw parseError(node.startLine, 'no build stage in current context');
  }
  if (stages.length === 0) throw new EngineError('invalidArgument', 'dockerfile contains no stages to build');
  return { globalArgs, stages };
}

/** Index of the stage that a name or number means, among the first `before`; -1 for none. The last of a name wins. */
export function findStage(stages: readonly Stage[], nameOrIndex: string, before = stages.length): number {
  const wanted = nameOrIndex.toLowerCase();
  const named = stages.slice(0, before).findLastIndex((stage) => stage.from.name === wanted);
  if (named !== -1) return named;
  const index = /^\d+$/.test(nameOrIndex) ? Number(nameOrIndex) : -1;
  return index < before ? index : -1;
}
