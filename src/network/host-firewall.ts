import { readFile } from 'node:fs/promises';
import { EngineError, hasErrno, isCode } from '../errors/index.ts';
import { run } from '../lib/run.ts';
import { nft } from './kernel.ts';

/**
 * Other people's forward chains (dockerd's, a firewall's) can drop what our bridges send, whatever our own table
 * accepts. While the engine runs, such a chain gets two rules that let our bridges pass; each carries our name as
 * comment, by which they are found and taken away. Our own chain still drops what nobody published.
 */
export interface HostFirewall {
  /** Adds what is missing. Cheap enough to repeat: a firewall may start later than we. */
  open(): Promise<void>;
  close(): Promise<void>;
}

export function hostFirewall(bridge: string, comment: string): HostFirewall {
  return {
    async open() {
      const chains = await foreignChains();
      const script = openScript(chains, bridge, comment);
      if (script !== '') await nft(script);
      await eachLegacyRule(bridge, comment, async (rule) => {
        const { exitCode } = await run('iptables-legacy', ['-w', '-C', ...rule], { accept: [0, 1] });
        if (exitCode === 1) await run('iptables-legacy', ['-w', '-I', ...rule]);
      });
    },
    async close() {
      const script = closeScript(await foreignChains(), comment);
      if (script !== '') await nft(script);
      await eachLegacyRule(bridge, comment, async (rule) => {
        await run('iptables-legacy', ['-w', '-D', ...rule], { accept: [0, 1] });
      });
    },
  };
}

/** A base chain of another's on the forward hook that may drop, and the comments of its rules by handle. */
export interface ForeignChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly rules: readonly { readonly handle: number; readonly comment: string }[];
}

/** Those of `nft -j list ruleset`'s objects that can stop a forwarded IPv4 packet. */
export function parseForwardChains(json: string): ForeignChain[] {
  const objects = (JSON.parse(json) as { readonly nftables: readonly NftObject[] }).nftables;
  const chains = objects.flatMap(({ chain }) => {
    if (chain?.hook !== 'forward' || chain.type !== 'filter') return [];
    if (chain.family !== 'ip' && chain.family !== 'inet') return [];
    if (chain.table.startsWith('gantry-')) return [];
    // iptables' own chain may end in a rule that rejects while its policy accepts.
    const isIptables = chain.table === 'filter' && chain.name === 'FORWARD';
    return chain.policy === 'drop' || isIptables ? [chain] : [];
  });
  return chains.map(({ family, table, name }) => ({
    family,
    table,
    name,
    rules: objects.flatMap(({ rule }) =>
      rule?.family === family && rule.table === table && rule.chain === name
        ? [{ handle: rule.handle, comment: rule.comment ?? '' }]
        : [],
    ),
  }));
}

export function openScript(chains: readonly ForeignChain[], bridge: string, comment: string): string {
  return chains
    .filter((chain) => chain.rules.filter((rule) => rule.comment === comment).length < 2)
    .flatMap(({ family, table, name }) =>
      ['iifname', 'oifname'].map(
        (side) =>
          `insert rule ${family} ${table} ${name} ${side} "${bridge}*" counter accept comment "${comment}"\n`,
      ),
    )
    .join('');
}

export function closeScript(chains: readonly ForeignChain[], comment: string): string {
  return chains
    .flatMap(({ family, table, name, rules }) =>
      rules
        .filter((rule) => rule.comment === comment)
        .map((rule) => `delete rule ${family} ${table} ${name} handle ${rule.handle}\n`),
    )
    .join('');
}

interface NftObject {
  readonly chain?: {
    readonly family: string;
    readonly table: string;
    readonly name: string;
    readonly type?: string;
    readonly hook?: string;
    readonly policy?: string;
  };
  readonly rule?: {
    readonly family: string;
    readonly table: string;
    readonly chain: string;
    readonly handle: number;
    readonly comment?: string;
  };
}

async function foreignChains(): Promise<ForeignChain[]> {
  const { stdout } = await run('nft', ['-j', 'list', 'chains']);
  const found = parseForwardChains(stdout);
  // The chains' rules, one table at a time: a whole ruleset can be megabytes.
  return Promise.all(
    found.map(async (chain) => {
      const { family, table, name } = chain;
      const listed = await run('nft', ['-j', 'list', 'chain', family, table, name]);
      return parseForwardChains(listed.stdout)[0] ?? chain;
    }),
  );
}

async function eachLegacyRule(
  bridge: string,
  comment: string,
  action: (rule: readonly string[]) => Promise<void>,
): Promise<void> {
  if (!(await usesLegacyTables())) return;
  try {
    for (const side of ['-i', '-o']) {
      await action(['FORWARD', side, `${bridge}+`, '-m', 'comment', '--comment', comment, '-j', 'ACCEPT']);
    }
  } catch (error) {
    // Legacy rules without the program that manages them are somebody else's to look after.
    if (!isCode(error, 'unavailable')) throw error;
  }
}

async function usesLegacyTables(): Promise<boolean> {
  try {
    return (await readFile('/proc/net/ip_tables_names', 'utf8')).split('\n').includes('filter');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false;
    throw new EngineError('internal', 'Cannot read /proc/net/ip_tables_names', { cause: error });
  }
}
