import type { Heredoc, Node } from '../parser/ast.ts';
import { heredocsOf, parseHeredoc } from '../parser/heredoc.ts';
import { Flags } from './flags.ts';
import type { CopyInstruction, Source } from './instruction.ts';

const common = { chown: 'string', chmod: 'string', link: 'boolean', exclude: 'list' } as const;
const copyFlags = { ...common, from: 'string', parents: 'boolean' } as const;
const addFlags = { ...common, checksum: 'string', 'keep-git-dir': 'boolean', unpack: 'boolean' } as const;

/** Reads COPY or ADD. Throws an Error that says what is wrong. */
export function copyInstruction(node: Node, source: Source): CopyInstruction {
  const kind = node.name === 'add' ? 'add' : 'copy';
  const flags = new Flags(node.flags, kind === 'add' ? addFlags : copyFlags);
  const { sources, files, destination } = operandsOf(node);
  const unpack = flags.boolean('unpack');
  return {
    kind,
    sources,
    files,
    destination,
    ...flags.optional('from', 'from'),
    ...flags.optional('chown', 'chown'),
    ...flags.optional('chmod', 'chmod'),
    ...flags.optional('checksum', 'checksum'),
    link: flags.boolean('link') ?? false,
    ...(unpack === undefined ? {} : { unpack }),
    parents: flags.boolean('parents') ?? false,
    exclude: flags.list('exclude'),
    source,
  };
}

function operandsOf(node: Node): {
  sources: readonly string[];
  files: readonly Heredoc[];
  destination: string;
} {
  const name = node.name.toUpperCase();
  if (node.heredocs.length === 0) {
    const { args } = node;
    const destination = args.at(-1);
    if (destination === undefined) throw new Error(`${name} requires at least two arguments`);
    if (args.length < 2) {
      throw new Error(
        `${name} requires at least two arguments, but only one was provided. Destination could not be determined`,
      );
    }
    return { sources: args.slice(0, -1), files: [], destination };
  }
  const words = node.args.filter((word, index) => !isBlankedHeredoc(node.args, index) && word !== '');
  const plain = words.filter((word) => heredocsOf(word).length === 0);
  const destination = words.at(-1);
  if (destination === undefined || parseHeredoc(destination) !== undefined) {
    throw new Error(`${name} cannot accept a heredoc as a destination`);
  }
  return { sources: plain.slice(0, -1), files: node.heredocs, destination };
}

/** `<< EOF` reaches us as two words: both belong to the heredoc. */
function isBlankedHeredoc(args: readonly string[], index: number): boolean {
  const opening = /^\d*<<-?$/;
  return opening.test(args[index] ?? '') || opening.test(args[index - 1] ?? '');
}
