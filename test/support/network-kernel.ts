import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Addresses that the kernel answers to in the network namespace of a process, but the loopback's. */
export function addressesOf(pid: number): string[] {
  const lines = readFileSync(`/proc/${pid}/net/fib_trie`, 'utf8').split('\n');
  const found = lines.flatMap((line, index) => {
    const address = /\|-- (\S+)/.exec(line)?.[1] ?? '';
    return /\/32 host LOCAL/.test(lines[index + 1] ?? '') && !address.startsWith('127.') ? [address] : [];
  });
  return [...new Set(found)].sort();
}

/** Host ports that an engine's rules lead into containers, as `port address`. */
export function publishedPorts(instance: string): string[] {
  const rules = execFileSync('nft', ['-n', 'list', 'table', 'ip', `gantry-${instance}`], {
    encoding: 'utf8',
  });
  const elements = rules.matchAll(/ \. (\d+) : ([\d.]+) \. \d+/g);
  return [...elements].map(([, port = '', address = '']) => `${port} ${address}`).sort();
}
