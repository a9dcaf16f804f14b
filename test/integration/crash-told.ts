/** What a client knows of a container that it was told of. */
export interface Known {
  readonly name: string;
  readonly state: 'created' | 'running' | 'paused' | 'stopped';
  /** Of one that ended, where somebody looked. */
  readonly exitCode: number | undefined;
  readonly memory: number;
  /** Names, in order. */
  readonly networks: readonly string[];
  /** Empty when it is never started again. */
  readonly policy: string;
  readonly autoRemove: boolean;
}

/** What was asked of it and not answered: each field may have the old value or one of these. */
export interface Asked {
  readonly states?: readonly (Known['state'] | 'gone')[];
  readonly name?: string;
  readonly memory?: number;
  readonly networks?: readonly string[];
}

export interface Tracked {
  readonly id: string;
  /** Its first process, if nothing was asked of it since it was looked at. */
  pid?: number;
  known: Known;
  asked: Asked | undefined;
  /** Somebody works on it. */
  busy: boolean;
}

/** Everything an engine acknowledged to a client, and what the client still waits for. */
export class Told {
  readonly containers = new Map<string, Tracked>();
  readonly removed = new Set<string>();
  /** Of containers whose making was not answered. */
  readonly askedNames = new Set<string>();
  /** Names, and a command that succeeds in a whole image. */
  readonly images = new Map<string, readonly string[]>();
  readonly removedImages = new Set<string>();
  readonly volumes = new Set<string>();
  readonly removedVolumes = new Set<string>();
  readonly networks = new Set<string>();
  readonly removedNetworks = new Set<string>();

  /** What was done but not acknowledged counts from now on. */
  adopt(containers: readonly Tracked[]): void {
    this.containers.clear();
    this.askedNames.clear();
    for (const one of containers) this.containers.set(one.id, one);
  }
}
