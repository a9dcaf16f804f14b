import { readdirSync, readFileSync } from 'node:fs';

/** Names in a directory; none where it is gone, or a file. */
export function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** A file's text; '' where it is gone, as a process's may be while we look. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The fields of `/proc/PID/stat` after the name, which may hold anything: the state first. None where it is gone. */
export function statFields(pid: number): string[] {
  const stat = textOf(`/proc/${pid}/stat`);
  return stat === '' ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** The processes of the host with their command lines. */
export function processes(): { readonly pid: number; readonly words: readonly string[] }[] {
  return namesIn('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => ({
      pid: Number(pid),
      words: textOf(`/proc/${pid}/cmdline`).replace(/\0$/, '').split('\0'),
    }));
}
