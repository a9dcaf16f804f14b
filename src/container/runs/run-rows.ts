import type { Metadata, Transaction } from '../../metadata/index.ts';
import type { Run } from './run.ts';

/** Runs kept of each container: a crash loop must not fill the disk. */
const kept = 100;

export interface NumberedRun extends Run {
  /** 1 for the first. */
  readonly number: number;
}

/** The table container_runs: how each ended run of a container went. */
export class RunRows {
  readonly #metadata: Metadata;

  constructor(metadata: Metadata) {
    this.#metadata = metadata;
  }

  /** Oldest first. */
  list(containerId: string): NumberedRun[] {
    return this.#metadata.db
      .prepare('SELECT number, run FROM container_runs WHERE container_id = ? ORDER BY number')
      .all(containerId)
      .map(({ number, run }) => ({ number: Number(number), ...(JSON.parse(String(run)) as Run) }));
  }

  insert({ db }: Transaction, containerId: string, run: Run): void {
    const last = db
      .prepare('SELECT max(number) AS number FROM container_runs WHERE container_id = ?')
      .get(containerId);
    const number = Number(last?.['number'] ?? 0) + 1;
    db.prepare('INSERT INTO container_runs (container_id, number, run) VALUES (?, ?, ?)').run(
      containerId,
      number,
      JSON.stringify(run),
    );
    db.prepare('DELETE FROM container_runs WHERE container_id = ? AND number <= ?').run(
      containerId,
      number - kept,
    );
  }

  deleteAll({ db }: Transaction, containerId: string): void {
    db.prepare('DELETE FROM container_runs WHERE container_id = ?').run(containerId);
  }
}
