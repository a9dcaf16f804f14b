/** What a registry wants to see before it answers. [RFC 9110, 11.6.1] */
export interface Challenge {
  /** Lower case: `basic`, `bearer`. */
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const token = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const separators = /[\s,]*/y;
const equals = /\s*=\s*/y;
/** Servers forget quotes, though `:` and `/` need them. */
const bare = /[^\s,"]+/y;
const quoted = /"((?:[^"\\]|\\.)*)"/y;

/** Parses `WWW-Authenticate`; what makes no sense is left out. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  let at = 0;
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(header);
    if (found !== null) at = pattern.lastIndex;
    return found;
  };
  for (;;) {
    match(separators);
    const name = match(token)?.[0];
    if (name === undefined) return challenges;
    const last = challenges.at(-1);
    if (match(equals) === null || last === undefined) {
      challenges.push({ scheme: name.toLowerCase(), parameters: {} });
      continue;
    }
    const text = match(quoted)?.[1]?.replace(/\\(.)/g, '$1') ?? match(bare)?.[0];
    if (text !== undefined) last.parameters[name.toLowerCase()] = text;
  }
}
