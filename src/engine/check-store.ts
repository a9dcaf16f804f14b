import { join } from 'node:path';
import type { StoreCheckMessage, StoreProblem } from '../api/index.ts';
import type { ContainerStore } from '../container/index.ts';
import { EngineError } from '../errors/index.ts';
import type { Images } from '../image/index.ts';
import { namesIn } from '../lib/missing-files.ts';
import type { Metadata } from '../metadata/index.ts';
import type { Volumes } from '../volume/index.ts';

export interface StoreCheckParts {
  /** The engine's root. */
  readonly root: string;
  readonly metadata: Metadata;
  readonly images: Images;
  readonly volumes: Volumes;
  readonly store: ContainerStore;
}

export type CheckStore = (
  options: { readonly repair: boolean },
  signal: AbortSignal,
) => AsyncIterable<StoreCheckMessage>;

const noFilters = new Map<string, readonly string[]>();
const progressMs = 200;

/** One check of a store at a time; a second is `conflict`. It goes on beside everything else the engine does. */
export function createStoreCheck(parts: StoreCheckParts): CheckStore {
  let running = false;
  return (options, signal) => {
    if (running) throw new EngineError('conflict', 'a store check is already running');
    running = true;
    return run(parts, options, signal, () => {
      running = false;
    });
  };
}

async function* run(
  parts: StoreCheckParts,
  { repair }: { readonly repair: boolean },
  signal: AbortSignal,
  done: () => void,
): AsyncGenerator<StoreCheckMessage, void, undefined> {
  let told = 0;
  let checked = 0;
  let mended = 0;
  let remaining = 0;
  const tell = (problem: StoreProblem): StoreCheckMessage => {
    if (problem.Mended) mended += 1;
    else remaining += 1;
    return { Problem: problem };
  };
  try {
    for (const problem of databaseProblems(parts.metadata)) yield tell(problem);
    for await (const step of parts.images.check({ repair, signal })) {
      if ('checking' in step) {
        checked += 1;
        if (performance.now() - told < progressMs) continue;
        told = performance.now();
        yield { Progress: { Checked: checked, What: step.checking } };
      } else yield tell(step);
    }
    for await (const problem of directoryProblems(parts)) yield tell(problem);
    yield { Summary: { Checked: checked, Mended: mended, Remaining: remaining } };
  } finally {
    done();
  }
}

function* databaseProblems({ db }: Metadata): Generator<StoreProblem, void, undefined> {
  const note = 'restore gantry.db from a backup, or start on a new root and load the images again';
  for (const row of db.prepare('PRAGMA integrity_check').all()) {
    const text = String(row['integrity_check']);
    if (text === 'ok') continue;
    yield { Object: 'database', ID: 'gantry.db', Problem: text, Mended: false, Note: note };
  }
  for (const row of db.prepare('PRAGMA foreign_key_check').all()) {
    const where = `${String(row['table'])} row ${String(row['rowid'])}`;
    const problem = `refers to a row of ${String(row['parent'])} that is not there`;
    yield { Object: 'row', ID: where, Problem: problem, Mended: false, Note: note };
  }
}

/** Containers and volumes whose directory is gone. A start of the engine makes it again. */
async function* directoryProblems(parts: StoreCheckParts): AsyncGenerator<StoreProblem, void, undefined> {
  const restart = 'it is made again, empty, when the engine starts';
  const containers = new Set(await namesIn(join(parts.root, 'containers')));
  for (const { record } of parts.store.all()) {
    if (containers.has(record.id) || parts.store.get(record.id) === undefined) continue;
    const problem = { Object: 'container', ID: record.id, Problem: 'has lost its directory' } as const;
    yield { ...problem, Mended: false, Note: restart };
  }
  const volumes = new Set(await namesIn(join(parts.root, 'volumes')));
  for (const { Name } of parts.volumes.list(noFilters).Volumes) {
    if (volumes.has(Name)) continue;
    yield { Object: 'volume', ID: Name, Problem: 'has lost its directory', Mended: false, Note: restart };
  }
}
