import { createHmac, randomBytes } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import bcrypt from 'bcryptjs';
import { EngineError, hasErrno } from '../../../errors/index.ts';

/** How long a password that was right is not put through bcrypt again. */
const rememberMs = 60_000;
const mostRemembered = 1_000;
const recheckMs = 1_000;
/** Compared with when there is no such user, so that this takes as long. */
const nobody = '$2b$10$abcdefghijklmnopqrstuuEhtb1KxPb.yJO1ea04m4m1DWuoyPPR.';

/** The users of a htpasswd file with bcrypt hashes. A changed file takes effect without a restart. */
export class Users {
  readonly #path: string;
  readonly #secret = randomBytes(32);
  readonly #remembered = new Map<string, number>();
  #hashes: ReadonlyMap<string, string> = new Map();
  #changedMs = -1;
  #checkedMs = Number.NEGATIVE_INFINITY;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Rejects with `invalidArgument` when the file is missing or has a hash that is not bcrypt's. */
  static async open(path: string): Promise<Users> {
    const users = new Users(path);
    await users.#refresh();
    return users;
  }

  async verify(user: string, password: string): Promise<boolean> {
    await this.#refresh();
    const hash = this.#hashes.get(user);
    const key = createHmac('sha256', this.#secret)
      .update(JSON.stringify([user, password, hash]))
      .digest('hex');
    if ((this.#remembered.get(key) ?? 0) > Date.now()) return true;
    const right = await bcrypt.compare(password, hash ?? nobody);
    if (!right || hash === undefined) return false;
    if (this.#remembered.size >= mostRemembered) this.#remembered.clear();
    this.#remembered.set(key, Date.now() + rememberMs);
    return true;
  }

  /** Changes with the user's password; undefined for one who is not there. */
  async fingerprint(user: string): Promise<string | undefined> {
    await this.#refresh();
    const hash = this.#hashes.get(user);
    return hash === undefined
      ? undefined
      : createHmac('sha256', 'password').update(hash).digest('base64url').slice(0, 22);
  }

  async #refresh(): Promise<void> {
    if (performance.now() - this.#checkedMs < recheckMs) return;
    const changedMs = (await this.#read(() => stat(this.#path))).mtimeMs;
    if (changedMs !== this.#changedMs) {
      this.#hashes = parseHtpasswd(await this.#read(() => readFile(this.#path, 'utf8')), this.#path);
      this.#changedMs = changedMs;
    }
    this.#checkedMs = performance.now();
  }

  async #read<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
      throw new EngineError('invalidArgument', `Cannot read the users from ${this.#path}: no such file`, {
        cause: error,
      });
    }
  }
}

/** User names with their hashes. Throws `invalidArgument` with the number of the line. */
export function parseHtpasswd(text: string, path: string): ReadonlyMap<string, string> {
  const hashes = new Map<string, string>();
  for (const [at, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [, user, hash] = /^([^:]+):(\$2[aby]\$\d\d\$[./A-Za-z0-9]{53})\s*$/.exec(line) ?? [];
    if (user === undefined || hash === undefined) {
      throw new EngineError(
        'invalidArgument',
        `${path}, line ${at + 1}: NAME:HASH with a bcrypt hash is expected (htpasswd -B)`,
      );
    }
    hashes.set(user, hash);
  }
  return hashes;
}
