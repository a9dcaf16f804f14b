import assert from 'node:assert/strict';
import test from 'node:test';
import { parseDockerfile } from '../parser/parse.ts';
import type { Instruction } from './instruction.ts';
import { parseInstruction } from './parse-instruction.ts';

function only(line: string): Instruction {
  const [node] = parseDockerfile(line).nodes;
  assert.ok(node);
  return parseInstruction(node);
}

test('parseInstruction() refuses what Docker refuses, with the line', () => {
  const problems: readonly (readonly [string, string])[] = [
    ['NOTHING x', 'unknown instruction: NOTHING'],
    ['FORM x', 'unknown instruction: FORM (did you mean FROM?)'],
    ['FROM a b', 'FROM requires either one or three arguments'],
    [
      'FROM a AS 1x',
      'invalid name for build stage: "1x", name can\'t start with a number or contain symbols',
    ],
    ['FROM --plat=x a', 'unknown flag: --plat'],
    ['COPY --form=x a b', 'unknown flag: --form (did you mean from?)'],
    ['COPY --from=x --from=y a b', 'duplicate flag specified: --from'],
    ['COPY --chown a b', 'missing a value on flag: --chown'],
    ['COPY --link=maybe a b', 'expecting boolean value for flag --link, not: maybe'],
    [
      'COPY a',
      'COPY requires at least two arguments, but only one was provided. Destination could not be determined',
    ],
    ['ENV =x', 'ENV names can not be blank'],
    ['ARG =x', 'ARG names can not be blank'],
    ['LABEL', 'LABEL requires at least one argument'],
    ['USER', 'USER requires exactly one argument'],
    ['SHELL /bin/sh', 'SHELL requires the arguments to be in JSON form'],
    ['ONBUILD ONBUILD RUN x', "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
    ['ONBUILD FROM x', "FROM isn't allowed as an ONBUILD trigger"],
    ['ONBUILD COPPY a b', 'unknown instruction: COPPY (did you mean COPY?)'],
    ['HEALTHCHECK NONE x', 'HEALTHCHECK NONE takes no arguments'],
    ['HEALTHCHECK TCP', 'unknown type "TCP" in HEALTHCHECK (try CMD)'],
    ['HEALTHCHECK --interval=1us CMD x', 'Interval "interval" cannot be less than 1ms'],
    ['HEALTHCHECK --retries=-1 CMD x', '--retries cannot be negative (-1)'],
    ['VOLUME [""]', 'VOLUME specified can not be an empty string'],
    [
      'RUN --security=insecure x',
      'RUN --security is not supported yet: take the flag out, or build with BuildKit',
    ],
  ];
  for (const [line, problem] of problems) {
    assert.throws(
      () => only(line),
      { code: 'invalidArgument', message: `dockerfile parse error on line 1: ${problem}` },
      line,
    );
  }
});

test('parseInstruction() reads HEALTHCHECK flags and forms', () => {
  const check = only('HEALTHCHECK --interval=1m30s --timeout=0.5s --retries=2 CMD a  b');
  assert.ok(check.kind === 'healthcheck');
  assert.deepEqual(check.test, ['CMD-SHELL', 'a  b']);
  assert.deepEqual([check.interval, check.timeout, check.retries], [90e9, 0.5e9, 2]);
  const exec = only('HEALTHCHECK CMD ["a","b"]');
  assert.deepEqual(exec.kind === 'healthcheck' && exec.test, ['CMD', 'a', 'b']);
});

test('parseInstruction() tells inline files of COPY from its sources', () => {
  const copy = only('COPY a <<x <<"y" b /dst/\n1\nx\n2\ny\n');
  assert.ok(copy.kind === 'copy');
  assert.deepEqual(copy.sources, ['a', 'b']);
  assert.deepEqual(
    copy.files.map((file) => [file.name, file.content, file.expand]),
    [
      ['x', '1\n', true],
      ['y', '2\n', false],
    ],
  );
  assert.equal(copy.destination, '/dst/');
});
