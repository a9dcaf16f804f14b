import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const waitCall = libc.func('int waitpid(int pid, _Out_ int *status, int options)');

const noHang = 1;

/** The exit code of a child that has ended, 128 + n after signal n; `undefined` if there is no such child. */
export function reapChild(pid: number): number | undefined {
  const status = [0];
  if ((waitCall(pid, status, noHang) as number) !== pid) return undefined;
  const [value = 0] = status;
  const signal = value & 0x7f;
  return signal === 0 ? (value >> 8) & 0xff : 128 + signal;
}
