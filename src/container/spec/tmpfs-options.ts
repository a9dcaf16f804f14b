import { EngineError } from '../../errors/index.ts';

/** Each flag with its opposite; a later one of a pair wins. */
const flagKey: Readonly<Record<string, string>> = {
  defaults: 'defaults',
  ro: 'ro',
  rw: 'ro',
  suid: 'suid',
  nosuid: 'suid',
  dev: 'dev',
  nodev: 'dev',
  exec: 'exec',
  noexec: 'exec',
  sync: 'sync',
  async: 'sync',
  dirsync: 'dirsync',
  remount: 'remount',
  mand: 'mand',
  nomand: 'mand',
  atime: 'atime',
  noatime: 'atime',
  diratime: 'diratime',
  nodiratime: 'diratime',
  bind: 'bind',
  rbind: 'bind',
  unbindable: 'propagation',
  runbindable: 'propagation',
  private: 'propagation',
  rprivate: 'propagation',
  shared: 'propagation',
  rshared: 'propagation',
  slave: 'propagation',
  rslave: 'propagation',
  relatime: 'relatime',
  norelatime: 'relatime',
  strictatime: 'strictatime',
  nostrictatime: 'strictatime',
};
const valueKeys = new Set(['size', 'mode', 'uid', 'gid', 'nr_inodes', 'nr_blocks', 'mpol']);

/** As Go prints the parts of an option. */
function words(option: string): string {
  const [name = '', ...value] = option.split('=');
  return [name, ...(value.length === 0 ? [] : [value.join('=')])]
    .map((word) => JSON.stringify(word))
    .join(' ');
}

/** Of options that contradict each other the later stays. An unknown one is `invalidArgument`, in Docker's words. */
export function mergeTmpfsOptions(options: readonly string[]): string[] {
  const seen = new Set<string>();
  const merged: string[] = [];
  for (const option of options.toReversed()) {
    if (option === 'defaults') continue;
    const [name = '', value] = option.split('=');
    const key = value === undefined ? flagKey[option] : valueKeys.has(name) ? name : undefined;
    if (key === undefined)
      throw new EngineError('invalidArgument', `invalid tmpfs option [${words(option)}]`);
    if (seen.has(key)) continue;
    seen.add(key);
    merged.unshift(option);
  }
  return merged;
}
