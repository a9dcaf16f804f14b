import { StringDecoder } from 'node:string_decoder';
import { randomId, shortId } from '../../lib/ids.ts';
import { raceAbort } from '../../lib/keyed-lock.ts';
import type { ChainId } from '../../oci/index.ts';
import type { Effect } from '../plan/apply-instruction.ts';
import type { StageState } from '../plan/stage-state.ts';
import type { BuildContext } from './build-context.ts';
import type { Section } from './progress.ts';
import { runFailure } from './step-failure.ts';
import { commitStep, type NewLayer } from './store-layer.ts';

export type RunEffect = Extract<Effect, { kind: 'run' }>;

export interface RunWork {
  readonly state: StageState;
  readonly parent: ChainId | undefined;
  readonly progress: Section;
}

/** Runs a command on a snapshot of its own; `undefined` when it changed nothing. */
export async function runStep(
  context: BuildContext,
  effect: RunEffect,
  { state, parent, progress }: RunWork,
): Promise<NewLayer | undefined> {
  const { lease, request, signal, slots, steps, stores } = context;
  const id = randomId();
  const snapshotKey = `build-${id}`;
  progress.print(` ---> Running in ${shortId(id)}\n`);
  const output = { stdout: new Output(progress, ''), stderr: new Output(progress, '\u001b[91m') };
  try {
    // What the runtime mounts on must not become part of the layer.
    await stores.snapshots.prepare(snapshotKey, parent, { initLayer: true });
    const exitCode = await steps.run(
      {
        snapshotKey,
        args: effect.args,
        env: effect.env,
        cwd: state.config.WorkingDir || '/',
        user: state.config.User ?? '',
        request,
        onOutput: (stream, data) => {
          output[stream].write(data);
          return raceAbort(progress.ready(), signal);
        },
      },
      signal,
    );
    output.stdout.end();
    output.stderr.end();
    signal.throwIfAborted();
    if (exitCode !== 0) throw runFailure(effect.args, exitCode);
    const layer = await slots.run(() => commitStep(stores, snapshotKey, { parent, lease, signal }), signal);
    progress.print(` ---> Removed intermediate container ${shortId(id)}\n`);
    return layer;
  } finally {
    await stores.snapshots.unmount(snapshotKey);
    await stores.snapshots.remove(snapshotKey);
  }
}

/** Text of a command; what it writes to stderr is red, as Docker shows it. */
class Output {
  readonly #decoder = new StringDecoder('utf8');
  readonly #progress: Section;
  readonly #colour: string;

  constructor(progress: Section, colour: string) {
    this.#progress = progress;
    this.#colour = colour;
  }

  write(data: Buffer): void {
    this.#print(this.#decoder.write(data));
  }

  end(): void {
    this.#print(this.#decoder.end());
  }

  #print(text: string): void {
    if (text === '') return;
    this.#progress.print(this.#colour === '' ? text : `${this.#colour}${text}\u001b[0m`);
  }
}
