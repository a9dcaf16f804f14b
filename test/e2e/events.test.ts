import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import type { EventMessage } from '../../src/api/index.ts';
import { startDaemon } from '../support/daemon.ts';
import { callEngine } from '../support/engine-call.ts';
import { untilNow } from '../support/event-times.ts';

test("a container's events have the attributes that Docker gives them", async (t) => {
  const engine = await startDaemon(t);
  const labels = join(engine.directory, 'labels');
  writeFileSync(labels, '# no label\ntier=db\n');
  const options = ['--name', 'told', '--label-file', labels, '--stop-timeout', '1'];
  const made = engine.gantry(['run', '-d', ...options, 'base:1', 'sleep', '1000']);
  assert.equal(made.code, 0, made.stderr);
  const id = made.stdout.trim();
  assert.equal(engine.docker(['exec', 'told', 'sh', '-c', 'exit 4']).code, 4);
  engine.ok(['rename', 'told', 'renamed']);
  const resize = { method: 'POST', path: '/containers/renamed/resize?h=10&w=20' };
  assert.equal((await callEngine(engine.host, resize)).status, 200);
  engine.ok(['kill', '-s', 'USR1', 'renamed']);
  engine.ok(['stop', 'renamed']);
  engine.ok(['rm', 'renamed']);

  const filters = ['--filter', 'type=container', '--filter', `container=${id}`];
  const range = ['--since', '0', '--until', untilNow()];
  const events = engine
    .ok(['events', ...range, ...filters, '--format', '{{json .}}'])
    .split('\n')
    .map((line) => JSON.parse(line) as EventMessage)
    .filter(({ Action }) => Action !== 'stop_deaf');
  const of = (action: string) => events.find(({ Action }) => Action === action)?.Actor.Attributes ?? {};
  const { execID = '' } = of('exec_die');
  const { execDuration = '' } = of('die');
  assert.match(execID, /^[0-9a-f]{64}$/);
  assert.match(execDuration, /^[1-9]\d*$/);
  const named = (name: string) => ({ image: 'base:1', name, tier: 'db' });
  const [told, renamed] = [named('told'), named('renamed')];
  assert.deepEqual(
    events.map(({ Action, Actor }) => [Action, Actor.Attributes]),
    [
      ['create', told],
      ['start', told],
      ['exec_create: sh -c exit 4', { ...told, execID }],
      ['exec_start: sh -c exit 4', { ...told, execID }],
      ['exec_die', { ...told, execID, exitCode: '4' }],
      ['rename', { ...renamed, oldName: '/told' }],
      ['resize', { ...renamed, height: '10', width: '20' }],
      ['kill', { ...renamed, signal: '10' }],
      ['kill', { ...renamed, signal: '15' }],
      ['kill', { ...renamed, signal: '9' }],
      ['die', { ...renamed, execDuration, exitCode: '137' }],
      ['stop', renamed],
      ['destroy', renamed],
    ],
  );
  // What --stop-timeout said, and not the ten seconds of others.
  const [asked = 0, forced = 0] = events
    .filter(({ Action, Actor }) => Action === 'kill' && Actor.Attributes['signal'] !== '10')
    .map(({ timeNano }) => timeNano / 1e9);
  assert.ok(forced - asked >= 1 && forced - asked < 9, `${forced - asked} s`);
});
