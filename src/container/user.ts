import { EngineError } from '../errors/index.ts';

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  /** The primary group too, as Docker lists it. */
  readonly additionalGids: readonly number[];
}

export interface UserFiles {
  /** Text of the container's /etc/passwd; empty when it has none. */
  readonly passwd: string;
  readonly group: string;
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

const largestId = 2 ** 31 - 1;

/**
 * Resolves `""`, `name`, `uid`, `name:group` or `uid:gid` in the container's own files, with the groups of
 * `--group-add`. `invalidArgument` with Docker's texts for names that are not there.
 */
export function resolveUser(spec: string, files: UserFiles, groupAdd: readonly string[] = []): ResolvedUser {
  const passwd = parsePasswd(files.passwd);
  const groups = parseGroups(files.group);
  const colon = spec.indexOf(':');
  const userWord = colon === -1 ? spec : spec.slice(0, colon);
  const groupWord = colon === -1 ? '' : spec.slice(colon + 1);

  const entry = findUser(userWord, passwd);
  const uid = entry?.uid ?? numeric(userWord === '' ? '0' : userWord);
  if (uid === undefined) {
    throw new EngineError(
      'invalidArgument',
      `unable to find user ${userWord}: no matching entries in passwd file`,
    );
  }
  assertInRange(uid);

  const supplementary: number[] = [];
  let gid = entry?.gid ?? 0;
  if (groupWord !== '') {
    const found = groupId(groupWord, groups);
    if (found === undefined) {
      throw new EngineError(
        'invalidArgument',
        `unable to find group ${groupWord}: no matching entries in group file`,
      );
    }
    assertInRange(found);
    gid = found;
  } else if (entry !== undefined) {
    supplementary.push(
      ...groups.filter(({ members }) => members.includes(entry.name)).map((group) => group.gid),
    );
  }
  for (const name of groupAdd) {
    const found = groupId(name, groups);
    if (found === undefined) {
      throw new EngineError(
        'invalidArgument',
        `Unable to find group ${name}: no matching entries in group file`,
      );
    }
    assertInRange(found);
    supplementary.push(found);
  }
  return { uid, gid, additionalGids: [...new Set([gid, ...supplementary])] };
}

/** A name comes before a number that is written the same; a number without an entry is fine. */
function findUser(word: string, passwd: readonly PasswdEntry[]): PasswdEntry | undefined {
  if (word === '') return passwd.find((one) => one.uid === 0);
  return passwd.find((one) => one.name === word) ?? passwd.find((one) => String(one.uid) === word);
}

function groupId(word: string, groups: readonly GroupEntry[]): number | undefined {
  return groups.find((one) => one.name === word)?.gid ?? numeric(word);
}

function parsePasswd(text: string): PasswdEntry[] {
  return lines(text).flatMap((line) => {
    const [name = '', , uid = '', gid = ''] = line.split(':');
    return name === '' || numeric(uid) === undefined
      ? []
      : [{ name, uid: Number(uid), gid: numeric(gid) ?? 0 }];
  });
}

function parseGroups(text: string): GroupEntry[] {
  return lines(text).flatMap((line) => {
    const [name = '', , gid = '', members = ''] = line.split(':');
    return name === '' || numeric(gid) === undefined
      ? []
      : [{ name, gid: Number(gid), members: members.split(',').map((one) => one.trim()) }];
  });
}

function lines(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

function numeric(word: string): number | undefined {
  return /^[0-9]+$/.test(word) ? Number(word) : undefined;
}

function assertInRange(id: number): void {
  if (id > largestId) {
    throw new EngineError('invalidArgument', `uids and gids must be in range 0-${largestId}`);
  }
}
