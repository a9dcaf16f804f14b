import { formatDuration } from '../duration.ts';
import { Struct } from './struct.ts';

/** Go's time.Duration: a number that prints as `1m30s`. */
export class Duration extends Struct {
  readonly #nanoseconds: number;

  constructor(nanoseconds: number) {
    const per = (unit: number) => () => nanoseconds / unit;
    super({ Hours: per(3600e9), Minutes: per(60e9), Seconds: per(1e9) }, nanoseconds);
    this.#nanoseconds = nanoseconds;
  }

  override valueOf(): number {
    return this.#nanoseconds;
  }

  override toString(): string {
    return formatDuration(this.#nanoseconds);
  }
}

/** Go's time.Time, of a text of RFC 3339: prints as `2006-01-02 15:04:05.999 +0000 UTC`. */
export class Time extends Struct {
  readonly #text: string;

  constructor(text: string) {
    // Go writes no zeros at the end of a fraction.
    const shortest = text.replace(/(?:\.0+|(\.\d*?)0+)(?=Z$|[-+]\d\d:\d\d$)/, '$1');
    super({}, shortest);
    this.#text = shortest;
  }

  override toString(): string {
    const match = /^([-\d]+)T([:.\d]+)(?:Z|([-+]\d\d):(\d\d))$/.exec(this.#text);
    if (match === null) return this.#text;
    const [, date, time, hours, minutes] = match;
    const zone = hours === undefined ? '+0000 UTC' : `${hours}${minutes} ${hours}${minutes}`;
    return `${date} ${time} ${zone}`;
  }
}
