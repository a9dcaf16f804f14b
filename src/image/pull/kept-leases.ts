import type { Lease, Leases, Resource } from '../../metadata/index.ts';
import type { Digest } from '../../oci/index.ts';

/** An interrupted pull can be gone on with for so long. */
const keepMs = 24 * 3_600_000;

interface Held {
  readonly lease: Lease;
  users: number;
  /** Nobody needs what it holds any more: the image has its own rows, or can never be one. */
  settled: boolean;
}

export interface KeptLease {
  readonly lease: Lease;
  /** Ends this use. What is not settled stays held, over a restart of the engine too, until it expires. */
  end(settled: boolean): void;
}

/** One lease for each manifest that is being pulled, however many pull it; it outlives an interruption. */
export class KeptLeases {
  readonly #leases: Leases;
  readonly #held = new Map<Digest, Held>();

  constructor(leases: Leases) {
    this.#leases = leases;
  }

  acquire(manifest: Digest, resources: readonly Resource[]): KeptLease {
    const present = this.#held.get(manifest);
    const held = present ?? {
      lease: this.#leases.acquire({ ttlMs: keepMs, name: `pull/${manifest}` }),
      users: 0,
      settled: false,
    };
    if (present === undefined) {
      held.lease.add(...resources);
      this.#held.set(manifest, held);
    }
    held.users += 1;
    let ended = false;
    return {
      lease: held.lease,
      end: (settled) => {
        if (ended) return;
        ended = true;
        held.users -= 1;
        held.settled ||= settled;
        if (held.users > 0) return;
        this.#held.delete(manifest);
        if (held.settled) held.lease[Symbol.dispose]();
      },
    };
  }
}
