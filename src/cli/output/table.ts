const gap = 3;
const tabStop = 10;

/**
 * Aligns tab-separated lines as Docker's tabwriter does (minimum width 10 unless told otherwise, padding 3): each column is as wide as its
 * widest cell, the last one is not padded.
 */
export function alignColumns(lines: readonly string[], options: { readonly minWidth?: number } = {}): string {
  const rows = lines.map((line) => line.split('\t'));
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.slice(0, -1).entries()) {
      widths[column] = Math.max(widths[column] ?? options.minWidth ?? tabStop, [...cell].length + gap);
    }
  }
  return rows
    .map((row) => `${row.map((cell, at) => paddedCell(cell, at, row.length, widths)).join('')}\n`)
    .join('');
}

function paddedCell(cell: string, column: number, count: number, widths: readonly number[]): string {
  if (column === count - 1) return cell;
  return cell + ' '.repeat(Math.max(0, (widths[column] ?? 0) - [...cell].length));
}
