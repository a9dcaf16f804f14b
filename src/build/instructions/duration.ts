const nanoseconds: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Parses Go's durations (`1m30s`, `1.5h`, `0`) into nanoseconds. Throws an Error. */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  const match = /^([+-]?)((?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.exec(text);
  if (match === null) throw new Error(`time: invalid duration ${JSON.stringify(text)}`);
  let total = 0;
  for (const [, amount, unit = ''] of match[2]?.matchAll(/([\d.]+)([a-zµμ]+)/g) ?? []) {
    total += Number(amount) * (nanoseconds[unit] ?? 0);
  }
  return Math.round(match[1] === '-' ? -total : total);
}
