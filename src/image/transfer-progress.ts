import type { ProgressMessage } from '../api/index.ts';

/** What happens to one layer on its way in or out. */
export interface LayerStatus {
  /** Docker's words. */
  readonly status: string;
  readonly current?: number;
  readonly total?: number;
}

const barLength = 50;
const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
/** A bar need not move more often. */
const quietMs = 100;

/** A line about a layer, as Docker's clients draw it. */
export function layerMessage(id: string, { status, current = 0, total = 0 }: LayerStatus): ProgressMessage {
  if (current <= 0 && total <= 0) return { status, progressDetail: {}, id };
  return {
    status,
    progressDetail: { current, ...(total > 0 ? { total } : {}) },
    progress: barOf(current, total),
    id,
  };
}

/** Docker's bar for a wide terminal. */
function barOf(current: number, total: number): string {
  const amount = humanSize(current).padStart(8);
  if (total <= 0) return amount;
  const filled = Math.min(barLength, Math.floor(Math.floor((current / total) * 100) / 2));
  const bar = `[${'='.repeat(filled)}>${' '.repeat(barLength - filled)}]`;
  return `${bar} ${current > total ? amount : `${amount}/${humanSize(total)}`}`;
}

/** Go's `%.4g` with decimal units: `1.234MB`. */
function humanSize(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${Number(size.toPrecision(4))}${units[unit] ?? ''}`;
}

/** Passes on what moves a bar, not more often than it can be seen to move; the last step always. */
export function moving(
  status: string,
  tell: (status: LayerStatus) => void,
): (current: number, total: number) => void {
  let lastMs = 0;
  return (current, total) => {
    const now = performance.now();
    if (current < total && now - lastMs < quietMs) return;
    lastMs = now;
    tell({ status, current, total });
  };
}
