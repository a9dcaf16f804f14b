/**
 * conmon's k8s-file: `2026-01-31T12:00:00.123456789+00:00 stdout F text\n`, a record a line. The flag is P for a
 * piece without its line feed (conmon reads 8 KiB at a time), else F. With four digits of the year every header has
 * the same length. [conmon src/ctr_logging.c write_k8s_log]
 */
export const headerBytes = 45;
/** Up to the nanoseconds, without the offset from UTC. */
export const timeBytes = 29;
/** The byte that tells std*o*ut from std*e*rr. */
export const streamOffset = 39;
export const flagOffset = 43;

export const lineFeed = 0x0a;
export const space = 0x20;
export const letterE = 0x65;
export const letterP = 0x50;

/** Nanoseconds since 1970 as a record's time begins. */
export function timeText(nano: bigint): string {
  const seconds = nano / 1_000_000_000n;
  const rest = (nano % 1_000_000_000n).toString().padStart(9, '0');
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}.${rest}`;
}
