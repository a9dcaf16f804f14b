import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import type { Node } from './ast.ts';
import { heredocsOf, parseHeredoc } from './heredoc.ts';
import { parseDockerfile } from './parse.ts';

const fixtures = new URL('../../../test/fixtures/dockerfile/', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, fixtures), 'utf8');

/** Go's %q, as far as the vectors need it. */
function quoted(text: string): string {
  const short: Record<string, string> = { '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t' };
  return `"${[...text]
    .map((ch) => {
      if (ch === '"' || ch === '\\') return `\\${ch}`;
      if (ch >= ' ') return ch;
      return short[ch] ?? `\\x${ch.charCodeAt(0).toString(16).padStart(2, '0')}`;
    })
    .join('')}"`;
}

function dump(node: Node): string {
  const flags = node.flags.length === 0 ? '' : ` [${node.flags.map(quoted).join(' ')}]`;
  const child = node.child === undefined ? '' : ` ${dump(node.child)}`;
  return `(${node.name}${flags}${child}${node.args.map((arg) => ` ${quoted(arg)}`).join('')})`;
}

for (const name of readdirSync(new URL('parser/testfiles/', fixtures))) {
  test(`parseDockerfile() reads the vector ${name}`, () => {
    const { nodes } = parseDockerfile(read(`parser/testfiles/${name}/Dockerfile`));
    assert.equal(`${nodes.map(dump).join('\n')}\n`, `${read(`parser/testfiles/${name}/result`).trimEnd()}\n`);
  });
}

for (const name of readdirSync(new URL('parser/testfiles-negative/', fixtures))) {
  test(`parseDockerfile() refuses the vector ${name}`, () => {
    assert.throws(() => parseDockerfile(read(`parser/testfiles-negative/${name}/Dockerfile`)), {
      code: 'invalidArgument',
    });
  });
}

test('parseDockerfile() keeps the lines of each instruction', () => {
  const { nodes } = parseDockerfile(read('parser/testfile-line/Dockerfile'));
  assert.deepEqual(
    nodes.map((node) => [node.startLine, node.endLine]),
    [
      [5, 5],
      [11, 12],
      [17, 31],
    ],
  );
});

interface HeredocVectors {
  readonly dockerfile: string;
  readonly expected: readonly (readonly object[] | null)[];
  readonly word_is_heredoc_named_EOF: readonly string[];
  readonly word_error: readonly string[];
  readonly word_not_heredoc: readonly string[];
  readonly names_in_line: readonly { readonly line: string; readonly names: readonly string[] }[];
}
const heredocs = JSON.parse(read('dockerfile-heredocs.json')) as HeredocVectors;

test('parseDockerfile() reads every heredoc of the vectors', () => {
  const { nodes } = parseDockerfile(heredocs.dockerfile);
  for (const [index, expected] of heredocs.expected.entries()) {
    assert.deepEqual(nodes[index + 1]?.heredocs, expected ?? [], nodes[index + 1]?.original);
  }
});

test('parseHeredoc() tells heredocs from other words', () => {
  for (const word of heredocs.word_is_heredoc_named_EOF) assert.equal(parseHeredoc(word)?.name, 'EOF', word);
  for (const word of heredocs.word_error) assert.throws(() => parseHeredoc(word), Error, word);
  for (const word of heredocs.word_not_heredoc) assert.equal(parseHeredoc(word), undefined, word);
  for (const { line, names } of heredocs.names_in_line) {
    assert.deepEqual(
      heredocsOf(line).map((heredoc) => heredoc.name),
      names,
      line,
    );
  }
});

test('parseDockerfile() names the line of a problem', () => {
  assert.throws(() => parseDockerfile('FROM a\n\nENV X'), {
    message: 'dockerfile parse error on line 3: ENV must have two arguments',
  });
  assert.throws(() => parseDockerfile('FROM a\nRUN <<EOF\nx\n'), {
    message: 'dockerfile parse error on line 2: unterminated heredoc',
  });
  assert.throws(() => parseDockerfile('# escape=x\nFROM a'), /on line 1: invalid escape token/);
  assert.throws(() => parseDockerfile('#escape=`\n#ESCAPE=`\nFROM a'), /only one escape parser directive/);
  assert.throws(() => parseDockerfile('# x\n'), { message: 'file with no instructions' });
});

test('parseDockerfile() drops a byte order mark and carriage returns', () => {
  const { nodes, syntax } = parseDockerfile('\uFEFF# syntax=a/b:1\r\nfrom x\r\nRUN a \\\r\n  b\r\n');
  assert.equal(syntax, 'a/b:1');
  assert.deepEqual(nodes.map(dump), ['(from "x")', '(run "a   b")']);
});

test('parseDockerfile() resolves quotes and escapes in flags', () => {
  const { nodes } = parseDockerfile(`FROM a\nCOPY --chown="a b" --from=x\\ y -- --src /dst`);
  assert.deepEqual(nodes[1]?.flags, ['--chown=a b', '--from=x y']);
  assert.deepEqual(nodes[1]?.args, ['--src', '/dst']);
});
