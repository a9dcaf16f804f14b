import { type Metadata, pruneEvent } from '../../metadata/index.ts';
import { digestOf, type ImageId } from '../../oci/index.ts';

/** What a step's result depends on, by name: `base`, `instruction`, `arg:X`, `file:src/a.ts`, `epoch`, ... */
export type StepInputs = Readonly<Record<string, string>>;

export interface CacheRecord {
  readonly key: string;
  readonly image: ImageId;
  readonly description: string;
  readonly inputs: StepInputs;
  readonly createdAtMs: number;
  readonly lastUsedAtMs: number;
  readonly useCount: number;
}

/** Which step gave which image (table `build_cache`). A record goes with its image. */
export interface BuildCache {
  /** The image a step with these inputs gave. */
  find(key: string): ImageId | undefined;
  /** Notes that records were used. */
  touch(keys: readonly string[]): void;
  store(record: {
    readonly key: string;
    readonly image: ImageId;
    readonly description: string;
    readonly inputs: StepInputs;
    readonly parentKey?: string;
  }): void;
  /** Notes that a build gave this image as its result. */
  markResult(image: ImageId): void;
  /** Images that a build which runs stands on, to be filled as it goes, until disposed: nothing removes them. */
  track(): Disposable & { readonly images: Set<ImageId> };
  /** Images of running builds. */
  live(): ReadonlySet<ImageId>;
  /** Images that steps gave and no build as its result, nor one that runs. */
  stepImages(): ReadonlySet<ImageId>;
  list(): CacheRecord[];
  /** Forgets records by their ids (the hex digits of the key), and says so in the journal. */
  prune(ids: readonly string[], reclaimedBytes: number): void;
}

/** The key of a step: equal inputs, equal key. */
export function keyOf(inputs: StepInputs): string {
  const sorted = Object.entries(inputs).sort(([a], [b]) => (a < b ? -1 : 1));
  return digestOf(JSON.stringify(sorted));
}

interface Row {
  readonly key: string;
  readonly image_id: ImageId;
  readonly description: string;
  readonly inputs: string;
  readonly created_at_ms: number;
  readonly last_used_at_ms: number;
  readonly use_count: number;
}

export function openBuildCache(metadata: Metadata): BuildCache {
  const { db } = metadata;
  const running = new Set<ReadonlySet<ImageId>>();
  const live = () => new Set([...running].flatMap((images) => [...images]));
  const select = db.prepare('SELECT image_id FROM build_cache WHERE key = ?');
  const selectAll = db.prepare('SELECT * FROM build_cache ORDER BY created_at_ms, key');
  const update = db.prepare(
    'UPDATE build_cache SET last_used_at_ms = ?, use_count = use_count + 1 WHERE key = ?',
  );
  const insert = db.prepare(
    `INSERT INTO build_cache
       (key, image_id, parent_key, description, inputs, created_at_ms, last_used_at_ms, use_count)
     VALUES (?, ?, ?, ?, ?, ?, ?, 1)
     ON CONFLICT (key) DO UPDATE SET image_id = excluded.image_id, inputs = excluded.inputs,
       last_used_at_ms = excluded.last_used_at_ms, use_count = use_count + 1`,
  );
  const mark = db.prepare('UPDATE build_cache SET is_result = 1 WHERE image_id = ? AND is_result = 0');
  const selectSteps = db.prepare(
    'SELECT image_id FROM build_cache GROUP BY image_id HAVING max(is_result) = 0',
  );
  const remove = db.prepare('DELETE FROM build_cache WHERE key = ?');

  return {
    find: (key) => (select.get(key) as Pick<Row, 'image_id'> | undefined)?.image_id,
    touch: (keys) => {
      if (keys.length === 0) return;
      metadata.transact(() => {
        for (const key of keys) update.run(Date.now(), key);
      });
    },
    store: ({ key, image, description, inputs, parentKey }) => {
      const now = Date.now();
      metadata.transact(() =>
        insert.run(key, image, parentKey ?? null, description, JSON.stringify(inputs), now, now),
      );
    },
    markResult: (image) => {
      metadata.transact(() => mark.run(image));
    },
    track: () => {
      const images = new Set<ImageId>();
      running.add(images);
      return { images, [Symbol.dispose]: () => void running.delete(images) };
    },
    live,
    stepImages: () => {
      const ids = (selectSteps.all() as unknown as Row[]).map(({ image_id }) => image_id);
      return new Set(ids).difference(live());
    },
    list: () =>
      (selectAll.all() as unknown as Row[]).map((row) => ({
        key: row.key,
        image: row.image_id,
        description: row.description,
        inputs: JSON.parse(row.inputs) as StepInputs,
        createdAtMs: row.created_at_ms,
        lastUsedAtMs: row.last_used_at_ms,
        useCount: row.use_count,
      })),
    prune: (ids, reclaimedBytes) => {
      metadata.transact((transaction) => {
        for (const id of ids) remove.run(`sha256:${id}`);
        transaction.record(pruneEvent('builder', reclaimedBytes));
      });
    },
  };
}
