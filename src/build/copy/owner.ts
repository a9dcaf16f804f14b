import { EngineError } from '../../errors/index.ts';
import { byteString } from '../../lib/tar/index.ts';
import { chunksOf, resolveEntry, type SourceTree } from '../context/source-tree.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const number = /^\d+$/;

/**
 * The ids of `user[:group]`; names are looked up in the image's /etc/passwd and /etc/group.
 * A user without group names the group too. Throws `invalidArgument` for an unknown name.
 */
export async function resolveOwner(text: string, image: SourceTree | undefined): Promise<Owner> {
  const [user = '', group = user, ...more] = text.split(':');
  if (more.length > 0 || user === '' || group === '') {
    throw new EngineError('invalidArgument', `invalid chown string format: ${text}`);
  }
  const uid = number.test(user) ? Number(user) : await lookUp('user', user, image);
  return { uid, gid: number.test(group) ? Number(group) : await lookUp('group', group, image) };
}

async function lookUp(kind: 'user' | 'group', name: string, image: SourceTree | undefined): Promise<number> {
  const file = kind === 'user' ? 'etc/passwd' : 'etc/group';
  const entry = image === undefined ? undefined : await resolveEntry(image, byteString(file));
  const content = entry?.type === 'file' ? image?.read(entry) : undefined;
  const text =
    content === undefined ? '' : Buffer.concat(await Array.fromAsync(chunksOf(content))).toString();
  for (const line of text.split('\n')) {
    const [found, , id = ''] = line.split(':');
    if (found === name && number.test(id)) return Number(id);
  }
  const what = kind === 'user' ? 'uid' : 'gid';
  throw new EngineError(
    'invalidArgument',
    `unable to convert uid/gid chown string to host mapping: can't find ${what} for ${kind} ${name}: no such ${kind}: ${name}`,
  );
}
