import assert from 'node:assert/strict';
import test from 'node:test';
import type { RunConfig } from '../../oci/index.ts';
import { parseDockerfile } from '../parser/parse.ts';
import { applyInstruction, type Effect, type Scope } from './apply-instruction.ts';
import { type BuildPlan, planBuild } from './plan.ts';
import { initialState, type StageState } from './stage-state.ts';

function plan(text: string, target = '', buildArgs: Readonly<Record<string, string | null>> = {}): BuildPlan {
  return planBuild(parseDockerfile(text), { buildArgs, labels: {}, target });
}

/** Applies the instructions of the last stage to an empty image. */
function applied(text: string, buildArgs: Readonly<Record<string, string | null>> = {}) {
  const { stages, globalValues, escape } = plan(`FROM scratch\n${text}`, '', buildArgs);
  const scope: Scope = { escape, buildArgs, globalValues, predefined: new Map() };
  let state: StageState = initialState(undefined, undefined);
  const effects: Effect[] = [];
  for (const instruction of stages.at(-1)?.instructions ?? []) {
    const result = applyInstruction(state, instruction, scope);
    state = result.state;
    effects.push(result.effect);
  }
  return { state, effects, config: state.config };
}

const stagesText = `ARG V=1
FROM a:$V AS base
RUN x
FROM base AS dev
RUN y
FROM scratch AS unused
COPY --from=dev / /
FROM b
COPY --from=dev /y /
COPY --from=2 /z /
COPY --from=other/image /o /
`;

test('planBuild() takes the stages a target needs, in order, and numbers their steps', () => {
  const shape = (target: string) =>
    plan(stagesText, target).stages.map((stage) => [stage.index, stage.base, stage.firstStep, stage.needs]);
  assert.deepEqual(shape(''), [
    [0, { kind: 'image', reference: 'a:1' }, 2, []],
    [1, { kind: 'stage', index: 0 }, 4, [0]],
    [2, { kind: 'scratch' }, 6, [1]],
    [3, { kind: 'image', reference: 'b' }, 8, [1, 2]],
  ]);
  assert.deepEqual(shape('DEV'), [
    [0, { kind: 'image', reference: 'a:1' }, 2, []],
    [1, { kind: 'stage', index: 0 }, 4, [0]],
  ]);
  assert.deepEqual(shape('0'), [[0, { kind: 'image', reference: 'a:1' }, 2, []]]);
  assert.equal(plan(stagesText).totalSteps, 11);
  assert.deepEqual(plan(stagesText, '', { V: '2' }).stages[0]?.base, { kind: 'image', reference: 'a:2' });
});

test('planBuild() refuses stages that cannot be', () => {
  assert.throws(() => plan('FROM a\nCOPY --from=1 x y'), /stage index out of bounds/);
  assert.throws(() => plan('FROM a AS me\nCOPY --from=me x y'), /refers to current build stage/);
  assert.throws(() => plan('FROM $NOPE'), /base name \(\$NOPE\) should not be blank/);
  assert.throws(() => plan('ARG A\nENV B=1\nFROM a'), /line 2: no build stage in current context/);
  assert.throws(() => plan('FROM a', 'nope'), /target stage "nope" could not be found/);
});

test('ENV expands with the variables before it; escapes and quotes are resolved', () => {
  const { config } = applied(
    'ENV a=1 b=$a\nENV c="$a $b" d=\'$a\' e=\\$a f=${x:-y} a=2\nENV g $a  two  words',
  );
  assert.deepEqual(config.Env?.slice(1), ['a=2', 'b=', 'c=1 ', 'd=$a', 'e=$a', 'f=y', 'g=2  two  words']);
});

test('ENTRYPOINT clears an inherited CMD but not one of the stage', () => {
  assert.equal(applied('ENTRYPOINT ["a"]').config.Cmd, null);
  assert.deepEqual(applied('CMD x\nENTRYPOINT ["a"]').config.Cmd, ['/bin/sh', '-c', 'x']);
  assert.deepEqual(applied('SHELL ["/bin/ash","-c"]\nCMD x').config.Cmd, ['/bin/ash', '-c', 'x']);
  assert.deepEqual(applied('CMD []').config.Cmd, []);
});

test('config instructions make the config and the history text Docker makes', () => {
  const { state, config, effects } = applied(
    [
      'MAINTAINER me',
      'LABEL a=1 "b c"=\'2 3\'',
      'EXPOSE 80 8000-8001/udp',
      'VOLUME /v ["x"]',
      'VOLUME ["/w w"]',
      'USER web:staff',
      'STOPSIGNAL SIGINT',
      'WORKDIR /a',
      'WORKDIR b/../c',
      'HEALTHCHECK --interval=5s CMD true',
      'ONBUILD RUN   x',
    ].join('\n'),
  );
  assert.equal(state.author, 'me');
  const expected: RunConfig = {
    Env: config.Env ?? [],
    Labels: { a: '1', 'b c': '2 3' },
    ExposedPorts: { '80/tcp': {}, '8000/udp': {}, '8001/udp': {} },
    Volumes: { '/v': {}, '["x"]': {}, '/w w': {} },
    User: 'web:staff',
    StopSignal: 'SIGINT',
    WorkingDir: '/a/c',
    Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 5e9 },
    OnBuild: ['RUN   x'],
  };
  assert.deepEqual({ ...config, Volumes: undefined }, { ...expected, Volumes: undefined });
  assert.ok(config.Volumes && '/w w' in config.Volumes && '/v' in config.Volumes);
  assert.deepEqual(
    effects.slice(0, 3).map((effect) => effect.kind === 'config' && effect.comment),
    ['MAINTAINER me', 'LABEL a=1 b c=2 3', 'EXPOSE 80/tcp 8000/udp 8001/udp'],
  );
});

test('ARG: given before default, a null takes the default, later ones see earlier ones', () => {
  const { state } = applied('ARG a=1\nARG b=${a}x c\nARG d=4', { a: 'given', c: 'C', d: null });
  assert.deepEqual(
    [...state.args],
    [
      ['a', 'given'],
      ['b', 'givenx'],
      ['c', 'C'],
      ['d', '4'],
    ],
  );
});

test('the destination of COPY is absolute, a directory when written as one', () => {
  const destinations = (text: string) =>
    applied(text).effects.flatMap((effect) => (effect.kind === 'copy' ? [effect.destination] : []));
  assert.deepEqual(destinations('WORKDIR /w\nCOPY a b\nCOPY a b/\nCOPY a .\nCOPY a /\nCOPY a ../x'), [
    '/w/b',
    '/w/b/',
    '/w/',
    '/',
    '/x',
  ]);
});

test('EXPOSE refuses bad ports and protocols', () => {
  assert.throws(() => applied('EXPOSE abc'), { message: 'invalid containerPort: abc' });
  assert.throws(() => applied('EXPOSE 80/xyz'), { message: 'invalid proto: xyz' });
  assert.throws(() => applied('EXPOSE 70000'), { message: 'invalid containerPort: 70000' });
  assert.throws(() => applied('ENV a=${b:?needed}'), /line 2: failed to process .*b: needed/);
});
