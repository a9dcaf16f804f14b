/** Sizes and times in the words of Docker's go-units. */

const decimalUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'] as const;
const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB'] as const;

function scaled(size: number, base: number, units: readonly string[], digits: number): string {
  let value = size;
  let unit = 0;
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit++;
  }
  return `${significant(value, digits)}${units[unit] ?? ''}`;
}

/** Go's `%.Ng`: N significant digits without trailing zeros. */
function significant(value: number, digits: number): string {
  if (value === 0) return '0';
  return String(Number(value.toPrecision(digits)));
}

/** `1.234MB`: powers of 1000, four significant digits (three with `precision` 3). */
export function humanSize(bytes: number, precision = 4): string {
  return scaled(bytes, 1000, decimalUnits, precision);
}

/** `1.5GiB`: powers of 1024. */
export function binarySize(bytes: number): string {
  return scaled(bytes, 1024, binaryUnits, 4);
}

/** `5 minutes`, as Docker rounds: `Less than a second`, `About a minute`, `About an hour`, hours up to two days, … */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.round(milliseconds / 3_600_000);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(milliseconds / 3_600_000 / 24 / 365)} years`;
}

/** `2 hours ago`; `N/A` without a time. */
export function timeAgo(at: number | undefined, now: number = Date.now()): string {
  return at === undefined || at <= 0 ? 'N/A' : `${humanDuration(now - at)} ago`;
}

/** `2024-05-06 07:08:09 +0000 UTC`, Go's way to print a time in the local zone. */
export function goTime(milliseconds: number): string {
  const date = new Date(milliseconds);
  const offset = -date.getTimezoneOffset();
  const local = new Date(milliseconds + offset * 60_000).toISOString();
  const sign = offset < 0 ? '-' : '+';
  const zone = `${sign}${pad(Math.trunc(Math.abs(offset) / 60))}${pad(Math.abs(offset) % 60)}`;
  const name = offset === 0 ? 'UTC' : zone.replace(/00$/, '');
  const fraction = local.slice(19, 23).replace(/\.?0+$/, '');
  return `${local.slice(0, 10)} ${local.slice(11, 19)}${fraction} ${zone} ${name}`;
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}

/** `sha256:0123456789ab…` and plain ids to their first 12 digits. */
export function shortId(id: string): string {
  return id.replace(/^[a-z0-9]+:/, '').slice(0, 12);
}

/** Cuts a text to `width` characters, the last one being `…`. */
export function ellipsis(text: string, width: number): string {
  const letters = [...text];
  return letters.length <= width ? text : `${letters.slice(0, width - 1).join('')}…`;
}
