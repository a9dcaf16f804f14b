import assert from 'node:assert/strict';
import test from 'node:test';
import { applyChanges } from './index.ts';

test('applyChanges() applies every instruction it knows', () => {
  const config = applyChanges({ Env: ['PATH=/bin', 'A=old'], WorkingDir: '/srv' }, [
    'CMD ["a", "b c"]',
    'entrypoint run it',
    'ENV A=new B="two words" C=$PATH:/x',
    'ENV OLD one two',
    'EXPOSE 80 53/udp 7000-7001',
    'LABEL a=b "c d"=e',
    'ONBUILD RUN x',
    'STOPSIGNAL SIGINT',
    'USER 1:2',
    'VOLUME ["/v w"]',
    'VOLUME /a /b',
    'WORKDIR sub',
  ]);
  assert.deepEqual(config, {
    Cmd: ['a', 'b c'],
    Entrypoint: ['/bin/sh', '-c', 'run it'],
    Env: ['PATH=/bin', 'A=new', 'B=two words', 'C=/bin:/x', 'OLD=one two'],
    ExposedPorts: { '80/tcp': {}, '53/udp': {}, '7000/tcp': {}, '7001/tcp': {} },
    Labels: { a: 'b', 'c d': 'e' },
    OnBuild: ['RUN x'],
    StopSignal: 'SIGINT',
    User: '1:2',
    Volumes: { '/v w': {}, '/a': {}, '/b': {} },
    WorkingDir: '/srv/sub',
  });
});

test('applyChanges() drops the command that was there for another entrypoint, and keeps one of its own', () => {
  const cmd = (...lines: string[]) => applyChanges({ Cmd: ['old'], Entrypoint: ['e'] }, lines).Cmd;
  assert.equal(cmd('ENTRYPOINT ["run"]'), null);
  assert.deepEqual(cmd('CMD ["new"]', 'ENTRYPOINT ["run"]'), ['new']);
  assert.deepEqual(cmd('entrypoint run\ncmd ["new"]'), ['new']);
  assert.deepEqual(cmd('CMD []', 'ENTRYPOINT ["run"]'), []);
  assert.deepEqual(cmd('ENTRYPOINT []'), ['old']);
  assert.deepEqual(cmd('USER x'), ['old']);
});

test('applyChanges() reads health checks', () => {
  const health = (line: string) => applyChanges({}, [`HEALTHCHECK ${line}`]).Healthcheck;
  assert.deepEqual(health('NONE'), { Test: ['NONE'] });
  assert.deepEqual(health('--interval=5s --retries=2 CMD curl x'), {
    Test: ['CMD-SHELL', 'curl x'],
    Interval: 5_000_000_000,
    Retries: 2,
  });
  assert.deepEqual(health('CMD ["a"]'), { Test: ['CMD', 'a'] });
});

test('applyChanges() refuses what may not change an image', () => {
  const refuses = (line: string, message: string | RegExp) => {
    assert.throws(() => applyChanges({}, [line]), { code: 'invalidArgument', message });
  };
  refuses('SHELL ["x"]', 'SHELL is not a valid change command');
  refuses('RUN x', 'RUN is not a valid change command');
  refuses('ENV', 'ENV requires at least one argument');
  refuses('ENV a', 'ENV must have two arguments');
  refuses('EXPOSE 70000', /invalid containerPort/);
  refuses('ENV a="b', /looking for matching double-quote/);
  refuses('HEALTHCHECK --bad=1 CMD x', 'Unknown flag: bad');
});
