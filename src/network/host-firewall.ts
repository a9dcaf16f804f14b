import { readFile } from 'node:fs/promises';
import { EngineError, hasErrno, isCode, messageOf } from '../errors/index.ts';
import { run } from '../lib/run.ts';
import { nft } from './kernel.ts';

/**
 * Other people's forward chains (dockerd's, a firewall's) can drop what our bridges send, whatever our own table
 * accepts. While the engine runs, such a chain gets two rules for each pattern of bridges' names that let them pass;
 * each carries our name as comment, by which they are found and taken away. Our own chain still drops what nobody
 * published. A chain that its owner alone may change is warned of once, and left as it is.
 */
export interface HostFirewall {
  /** Adds what is missing, and takes away what is not wanted any more. A firewall may start later than we. */
  open(): Promise<void>;
  close(): Promise<void>;
}

export interface HostFirewallOptions {
  /** The comment of our rules. */
  readonly owner: string;
  readonly patterns: () => readonly string[];
  readonly onWarning: (message: string, error: unknown) => void;
}

export function hostFirewall({ owner, patterns, onWarning }: HostFirewallOptions): HostFirewall {
  const refused = new Set<string>();
  const openChain = async (chain: ForeignChain, wanted: readonly string[]) => {
    const name = `${chain.family} ${chain.table} ${chain.name}`;
    const script = openScript([chain], wanted, owner);
    if (script === '' || refused.has(name)) return;
    try {
      await nft(script);
    } catch (error) {
      // The kernel lets the owner of a table alone change it: firewalld 2 may be one.
      if (!messageOf(error).includes('Operation not permitted')) throw error;
      refused.add(name);
      onWarning(`Cannot let containers through the host's firewall, the chain "${name}"`, error);
    }
  };
  // Legacy rules cannot be asked for by their comment.
  let opened: readonly string[] = [];
  const closeLegacy = async (closing: readonly string[]) =>
    eachLegacyRule(closing, owner, async (rule) => {
      await run('iptables-legacy', ['-w', '-D', ...rule], { accept: [0, 1] });
    });
  return {
    async open() {
      const wanted = patterns();
      for (const chain of await foreignChains()) await openChain(chain, wanted);
      await eachLegacyRule(wanted, owner, async (rule) => {
        const { exitCode } = await run('iptables-legacy', ['-w', '-C', ...rule], { accept: [0, 1] });
        if (exitCode === 1) await run('iptables-legacy', ['-w', '-I', ...rule]);
      });
      await closeLegacy(opened.filter((pattern) => !wanted.includes(pattern)));
      opened = wanted;
    },
    async close() {
      const script = closeScript(await foreignChains(), owner);
      if (script !== '') await nft(script);
      await closeLegacy([...new Set([...opened, ...patterns()])]);
      opened = [];
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
    // These may end in a rule that rejects while their policy accepts.
    const isIptables = chain.table === 'filter' && chain.name === 'FORWARD';
    const isFirewalld = chain.table === 'firewalld' && chain.name === 'filter_FORWARD';
    return chain.policy === 'drop' || isIptables || isFirewalld ? [chain] : [];
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

export function openScript(
  chains: readonly ForeignChain[],
  patterns: readonly string[],
  owner: string,
): string {
  const wanted = patterns.map((pattern) => ({ pattern, comment: commentOf(pattern, owner) }));
  const isStale = (comment: string) =>
    isOurs(comment, owner) && wanted.every((passage) => passage.comment !== comment);
  return chains
    .flatMap((chain) => [
      ...deletions(chain, isStale),
      ...wanted
        .filter(({ comment }) => chain.rules.filter((rule) => rule.comment === comment).length < 2)
        .flatMap((passage) => insertions(chain, passage)),
    ])
    .join('');
}

export function closeScript(chains: readonly ForeignChain[], owner: string): string {
  return chains.flatMap((chain) => deletions(chain, (comment) => isOurs(comment, owner))).join('');
}

function insertions(
  { family, table, name }: ForeignChain,
  { pattern, comment }: { readonly pattern: string; readonly comment: string },
): string[] {
  return ['iifname', 'oifname'].map(
    (side) =>
      `insert rule ${family} ${table} ${name} ${side} "${pattern}" counter accept comment "${comment}"\n`,
  );
}

function deletions(
  { family, table, name, rules }: ForeignChain,
  isWanted: (comment: string) => boolean,
): string[] {
  return rules
    .filter(({ comment }) => isWanted(comment))
    .map(({ handle }) => `delete rule ${family} ${table} ${name} handle ${handle}\n`);
}

/** The rules of bridges that we name carry our name alone, those of a bridge with another name that one too. */
function commentOf(pattern: string, owner: string): string {
  return pattern.endsWith('*') ? owner : `${owner} ${pattern}`;
}

function isOurs(comment: string, owner: string): boolean {
  return comment === owner || comment.startsWith(`${owner} `);
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
  patterns: readonly string[],
  owner: string,
  action: (rule: readonly string[]) => Promise<void>,
): Promise<void> {
  if (patterns.length === 0 || !(await usesLegacyTables())) return;
  try {
    for (const pattern of patterns) {
      const comment = commentOf(pattern, owner);
      for (const side of ['-i', '-o']) {
        const bridges = pattern.replace('*', '+');
        await action(['FORWARD', side, bridges, '-m', 'comment', '--comment', comment, '-j', 'ACCEPT']);
      }
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
