import { EngineError } from '../../errors/index.ts';
import type { Image } from '../../image/index.ts';
import { randomId, shortId } from '../../lib/ids.ts';
import { hostPlatform, type Platform, platformString } from '../../oci/index.ts';
import { keyOf, type StepInputs } from '../cache/build-cache.ts';
import type { StageInstruction } from '../instructions/instruction.ts';
import { parseInstruction } from '../instructions/parse-instruction.ts';
import { parseDockerfile } from '../parser/parse.ts';
import { applyInstruction, type Effect } from '../plan/apply-instruction.ts';
import type { PlannedStage } from '../plan/plan.ts';
import { initialState, type StageState } from '../plan/stage-state.ts';
import { addStepImage, type NewStepImage } from './add-image.ts';
import type { BuildContext, StageResult } from './build-context.ts';
import { CacheSources } from './cache-sources.ts';
import { openCopy } from './copy-step.ts';
import type { Section } from './progress.ts';
import { runStep } from './run-step.ts';
import type { NewLayer } from './store-layer.ts';
import { makeWorkdir } from './workdir-step.ts';

/** Runs the steps of one stage, each on the image the one before gave. */
export async function runStage(
  context: BuildContext,
  stage: PlannedStage,
  progress: Section,
): Promise<StageResult> {
  return new StageRun(context, stage, progress).run();
}

class StageRun {
  readonly #context: BuildContext;
  readonly #stage: PlannedStage;
  readonly #progress: Section;
  readonly #sources: CacheSources;
  #image: Image | undefined;
  #state: StageState = initialState(undefined, undefined);

  constructor(context: BuildContext, stage: PlannedStage, progress: Section) {
    this.#context = context;
    this.#stage = stage;
    this.#progress = progress;
    this.#sources = new CacheSources(context);
  }

  async run(): Promise<StageResult> {
    const { firstStep, instructions, text } = this.#stage;
    this.#announce(firstStep, text);
    await this.#start();
    this.#print(` ---> ${this.#shortImage()}\n`);
    for (const [index, instruction] of instructions.entries()) {
      this.#announce(firstStep === undefined ? undefined : firstStep + index + 1, instruction.source.text);
      await this.#step(instruction);
      this.#print(` ---> ${this.#shortImage()}\n`);
    }
    if (this.#image !== undefined) this.#progress.tell({ aux: { ID: this.#image.id } });
    return { image: this.#image, state: this.#state };
  }

  #announce(step: number | undefined, text: string): void {
    this.#context.signal.throwIfAborted();
    this.#print(
      step === undefined ? `# ${text}\n` : `Step ${step}/${this.#context.plan.totalSteps} : ${text}\n`,
    );
  }

  #print(text: string): void {
    this.#progress.print(text);
  }

  #shortImage(): string {
    return this.#image === undefined ? '' : shortId(this.#image.id);
  }

  async #start(): Promise<void> {
    const { base } = this.#stage;
    if (base.kind === 'scratch') return;
    if (base.kind === 'stage') {
      const result = await this.#context.stage(base.index, this.#progress);
      this.#image = result.image;
      const fresh = initialState(result.image?.config.config, result.image?.config.author);
      this.#state = { ...fresh, args: result.state.args };
    } else {
      this.#image = await this.#baseImage(base.reference);
      this.#state = initialState(this.#image.config.config, this.#image.config.author);
    }
    await this.#triggers(this.#image?.config.config?.OnBuild ?? []);
  }

  get #platform(): Platform | undefined {
    return this.#stage.platform ?? this.#context.request.platform;
  }

  #baseImage(reference: string): Promise<Image> {
    const { resolveImage, signal } = this.#context;
    const platform = this.#platform;
    return resolveImage(reference, {
      ...(platform === undefined ? {} : { platform }),
      tell: this.#progress.tell,
      signal,
    });
  }

  async #triggers(triggers: readonly string[]): Promise<void> {
    if (triggers.length === 0) return;
    this.#print(`# Executing ${triggers.length} build trigger${triggers.length === 1 ? '' : 's'}\n`);
    for (const trigger of triggers) {
      for (const node of parseDockerfile(trigger).nodes) {
        const instruction = parseInstruction(node);
        if (instruction.kind === 'from') {
          throw new EngineError('invalidArgument', "FROM isn't allowed as an ONBUILD trigger");
        }
        if (instruction.kind === 'arg') {
          for (const { key } of instruction.args) this.#context.declaredArgs.add(key);
        }
        await this.#step(instruction);
      }
    }
  }

  async #step(instruction: StageInstruction): Promise<void> {
    const { state, effect } = applyInstruction(this.#state, instruction, this.#context.scope);
    switch (effect.kind) {
      case 'config':
      case 'workdir':
        await this.#configStep(state, effect);
        break;
      case 'run': {
        const inputs = {
          instruction: JSON.stringify(effect.args),
          ...Object.fromEntries(effect.buildArgs.map((arg) => [`arg ${arg.split('=', 1)[0]}`, arg])),
        };
        const prefix = effect.buildArgs.map((arg) => `${arg} `).join('');
        const count = effect.buildArgs.length === 0 ? '' : `|${effect.buildArgs.length} `;
        await this.#make(state, inputs, `${count}${prefix}${effect.args.join(' ')}`, () =>
          runStep(this.#context, effect, { state, parent: this.#image?.chainId, progress: this.#progress }),
        );
        break;
      }
      case 'copy': {
        await using copy = await openCopy(this.#context, effect, {
          index: this.#stage.index,
          progress: this.#progress,
        });
        await this.#make(state, copy.inputs, `/bin/sh -c #(nop) ${copy.comment}`, (before) =>
          copy.run(this.#image?.chainId, before),
        );
        break;
      }
    }
  }

  async #configStep(
    state: StageState,
    effect: Extract<Effect, { kind: 'config' | 'workdir' }>,
  ): Promise<void> {
    const inputs = {
      instruction: effect.comment,
      config: JSON.stringify({ config: state.config, author: state.author }),
    };
    if (effect.kind === 'workdir') {
      await this.#make(state, inputs, `/bin/sh -c #(nop) ${effect.comment}`, () =>
        makeWorkdir(this.#context, effect.path, this.#image?.chainId),
      );
      return;
    }
    await this.#make(state, inputs, `/bin/sh -c #(nop)  ${effect.comment}`, async () => {
      // Docker makes a container for every step; its clients know these lines.
      const id = shortId(randomId());
      this.#print(` ---> Running in ${id}\n ---> Removed intermediate container ${id}\n`);
      return undefined;
    });
  }

  /** Takes the step's image from the cache, or does the work and makes it. */
  async #make(
    state: StageState,
    own: StepInputs,
    createdBy: string,
    work: (before: Image | undefined) => Promise<NewLayer | undefined>,
  ): Promise<void> {
    const { cache, request, usedKeys, epochMs } = this.#context;
    const platform = this.#platform ?? hostPlatform();
    const base = this.#image?.id ?? `scratch ${platformString(platform)}`;
    const inputs = { ...own, base, ...(epochMs === undefined ? {} : { epoch: String(epochMs) }) };
    const key = keyOf(inputs);
    const found = cache.find(key);
    const cached = found === undefined ? undefined : this.#context.images.find(found);
    const step = { parent: this.#image, state, createdBy, platform };
    // Before the cache: an equal step made here may have a history of its own, after which no source's fits.
    const taken = await this.#sources.take(step, cached);
    const known = taken ?? (request.noCache ? undefined : cached);
    if (known !== undefined) this.#print(' ---> Using cache\n');
    this.#context.signal.throwIfAborted();
    const image = known ?? (await this.#made(step, await work(cached)));
    if (known !== undefined && known.id === found) usedKeys.add(key);
    else cache.store({ key, image: image.id, description: createdBy, inputs });
    this.#advance(image, state);
  }

  #made(step: Omit<NewStepImage, 'layer'>, layer: NewLayer | undefined): Promise<Image> {
    return addStepImage(this.#context, { ...step, ...(layer === undefined ? {} : { layer }) });
  }

  #advance(image: Image, state: StageState): void {
    this.#context.liveImages.add(image.id);
    this.#image = image;
    this.#state = state;
  }
}
