import type { StepRun, StepRunner } from '../build/index.ts';
import type { Networks } from '../network/index.ts';
import type { OciRuntime } from '../runtime/index.ts';
import type { Snapshotter } from '../snapshot/index.ts';
import type { Volumes } from '../volume/index.ts';
import { type CreateContext, normalizeCreate } from './create/index.ts';
import { newContainerId } from './creator.ts';
import { Launcher } from './launch.ts';
import { type Container, type ContainerRecord, newState } from './record.ts';
import type { Specs } from './specs.ts';
import type { ContainerStore } from './store.ts';

export interface StepRunnerDeps {
  readonly store: ContainerStore;
  readonly storage: {
    readonly snapshots: Snapshotter;
    readonly volumes: Volumes;
    readonly directory: string;
  };
  readonly networks: Networks;
  readonly runtime: OciRuntime;
  readonly specs: Specs;
}

/** Runs the RUN steps of builds: containers without a row, on the step's own snapshot, with Docker's defaults. */
export class ContainerStepRunner implements StepRunner {
  readonly #deps: StepRunnerDeps;
  readonly #context: CreateContext;

  constructor(deps: StepRunnerDeps, context: CreateContext) {
    this.#deps = deps;
    this.#context = context;
  }

  async run(step: StepRun, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    const { runtime, storage } = this.#deps;
    const container = this.#containerOf(step);
    const { id } = container.record;
    // The launcher mounts by container id; here the tree is the step's.
    const { snapshots } = storage;
    const launcher = new Launcher({
      ...this.#deps,
      storage: {
        ...storage,
        snapshots: {
          // Its layer is synced when it is committed.
          mount: () => snapshots.mount(step.snapshotKey, { volatile: true }),
          unmount: () => snapshots.unmount(step.snapshotKey),
          view: (name) => snapshots.view(name),
        },
      },
    });
    const kill = () => {
      // It may have ended by itself; tearDown removes it in any case.
      runtime.kill(id, 9, { all: true }).catch(() => undefined);
    };
    try {
      await launcher.makeDirectory(id);
      await launcher.launch(container);
      await using attachment = await runtime.attach(id);
      signal.addEventListener('abort', kill, { once: true });
      signal.throwIfAborted();
      await runtime.start(id);
      for await (const { stream, data } of attachment.output) await step.onOutput(stream, data);
      const { exitCode } = await runtime.wait(id);
      signal.throwIfAborted();
      return exitCode;
    } finally {
      signal.removeEventListener('abort', kill);
      await launcher.tearDown(container);
      await launcher.removeDirectory(id);
    }
  }

  #containerOf(step: StepRun): Container {
    const id = newContainerId();
    const { request } = step;
    const { config, hostConfig } = normalizeCreate(
      {
        id,
        image: {},
        request: {
          Cmd: step.args,
          Env: step.env,
          User: step.user,
          WorkingDir: step.cwd,
          HostConfig: {
            NetworkMode: request.networkMode || 'default',
            ExtraHosts: request.extraHosts,
            ShmSize: request.shmSize,
            Ulimits: request.ulimits,
            Memory: request.memory,
            MemorySwap: request.memorySwap,
            CpuQuota: request.cpuQuota,
            CpuPeriod: request.cpuPeriod,
            CpuShares: request.cpuShares,
            CpusetCpus: request.cpusetCpus,
            CpusetMems: request.cpusetMems,
            CgroupParent: request.cgroupParent,
            LogConfig: { Type: 'none', Config: {} },
          },
        },
      },
      this.#context,
    );
    const record: ContainerRecord = {
      id,
      name: `/${id}`,
      created: new Date().toISOString(),
      imageId: '' as ContainerRecord['imageId'],
      config,
      hostConfig,
      endpoints: {},
      mounts: [],
    };
    return { record, state: newState };
  }
}
