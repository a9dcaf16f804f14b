import type { ContainerInspect } from '../../api/index.ts';
import type { RunConfig } from '../../oci/index.ts';

/** One flag of `run`, without its dashes; `true` for one that stands alone. */
export interface Setting {
  readonly flag: string;
  readonly value: string | true;
}

/** What makes a container again. */
export interface Description {
  readonly settings: readonly Setting[];
  readonly image: string;
  readonly args: readonly string[];
  /** What the container has that no flag of `run` says. */
  readonly unsaid: readonly string[];
}

/** A container, with what it would be if its creator had said nothing. */
export interface Subject {
  readonly container: ContainerInspect;
  /** The image's part; `{}` for an image that is gone. */
  readonly image: RunConfig;
  /** What this engine takes for a `--cgroupns` that is not given. */
  readonly cgroupns: string;
  /** The same for `--log-driver`. */
  readonly logDriver: string;
}

/** A field of a flag that takes several, split at commas. */
export function csvField(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The flag once, unless the value is empty. */
export function one(flag: string, value: string | undefined): Setting[] {
  return value === undefined || value === '' ? [] : [{ flag, value }];
}

/** The flag once for each value. */
export function each(flag: string, values: readonly string[] | null | undefined): Setting[] {
  return (values ?? []).map((value) => ({ flag, value }));
}

export function pairs(flag: string, values: Readonly<Record<string, string>> | null | undefined): Setting[] {
  return each(
    flag,
    Object.entries(values ?? {}).map(([key, value]) => (value === '' ? key : `${key}=${value}`)),
  );
}

export function on(flag: string, is: boolean | null | undefined): Setting[] {
  return is === true ? [{ flag, value: true }] : [];
}

/** A number, unless it is 0: what Docker stores for a limit that was not given. */
export function number(flag: string, value: number | null | undefined): Setting[] {
  return one(flag, value === null || value === undefined || value === 0 ? '' : String(value));
}

/** Bytes in the largest unit that keeps them exact: `512m`. */
export function size(flag: string, bytes: number | null | undefined): Setting[] {
  if (bytes === null || bytes === undefined || bytes <= 0) return number(flag, bytes);
  for (const [unit, factor] of sizeUnits) {
    if (bytes % factor === 0) return one(flag, `${bytes / factor}${unit}`);
  }
  return one(flag, String(bytes));
}

const sizeUnits = [
  ['g', 2 ** 30],
  ['m', 2 ** 20],
  ['k', 2 ** 10],
] as const;

/** Nanoseconds as a Go duration: `1m30s`. */
export function duration(flag: string, nanoseconds: number | undefined): Setting[] {
  let left = nanoseconds ?? 0;
  let text = '';
  for (const [unit, factor] of durationUnits) {
    const count = Math.floor(left / factor);
    if (count > 0) text += `${count}${unit}`;
    left -= count * factor;
  }
  return one(flag, text);
}

const durationUnits = [
  ['h', 3.6e12],
  ['m', 6e10],
  ['s', 1e9],
  ['ms', 1e6],
  ['us', 1e3],
  ['ns', 1],
] as const;
