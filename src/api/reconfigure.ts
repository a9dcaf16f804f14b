import type { MountSpec } from './container.ts';
import type { PortMap } from './network.ts';

/**
 * What is to be changed of a container: `POST /gantry/containers/ID/reconfigure`. What a field names (a variable, a
 * label, a container port, a path in the container) is set as it says or taken away; everything else stays.
 */
export interface ReconfigureRequest {
  /** `KEY=VALUE`. */
  readonly Env?: readonly string[];
  readonly Labels?: Readonly<Record<string, string>>;
  /** `80/tcp` to all its places on the host; no place only exposes it. */
  readonly PortBindings?: PortMap;
  /** `-v` with a source. */
  readonly Binds?: readonly string[];
  /** `--mount`. */
  readonly Mounts?: readonly MountSpec[];
  /** Paths that get an anonymous volume. */
  readonly Volumes?: Readonly<Record<string, object>>;
  /** Each must be there. */
  readonly Remove?: {
    readonly Env?: readonly string[];
    readonly Labels?: readonly string[];
    /** `80`, `80/tcp`. */
    readonly Ports?: readonly string[];
    /** Paths in the container. */
    readonly Mounts?: readonly string[];
  };
}

/** One thing that a reconfiguration changes. */
export interface ReconfigureChange {
  readonly Kind: 'port' | 'env' | 'mount' | 'label';
  /** `80/tcp`, a variable, a path in the container, a label. */
  readonly Name: string;
  /** null where there was nothing. */
  readonly Old: string | null;
  /** null where nothing is left. */
  readonly New: string | null;
}

export interface ReconfigureResponse {
  readonly Changes: readonly ReconfigureChange[];
  /** It ran, and was (or, of a dry run, would be) stopped and started again. */
  readonly Restarted: boolean;
  readonly Warnings: readonly string[];
}
