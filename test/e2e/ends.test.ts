import assert from 'node:assert/strict';
import { closeSync, constants, existsSync, openSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasErrno } from '../../src/errors/index.ts';
import type { CommandResult } from '../support/daemon.ts';
import { runCommand, startDaemon } from '../support/daemon.ts';
import { runClient } from '../support/docker-client.ts';
import { until } from '../support/until.ts';

// How containers end: a stop, a restart or a kill that meets an exit, a pause or a commit.

const engine = await startDaemon({ after });
const docker = (...args: string[]) => engine.ok(args);
const show = (name: string, format: string) => docker('inspect', '-f', format, name);
const actionsOf = (id: string) =>
  docker('events', '--since', '0', '--until', '0s', '--filter', `container=${id}`, '--format', '{{.Action}}')
    .split('\n')
    .filter((action) => action !== '');

/** A descriptor of a fifo that somebody is about to read; `undefined` as long as nobody is. */
function openWhenRead(fifo: string): number | undefined {
  try {
    return openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (hasErrno(error, 'ENXIO')) return undefined;
    throw error;
  }
}

/** Runs a client while the container's exit is known to the kernel but not yet in its row. */
async function duringExit(id: string, args: readonly string[]): Promise<CommandResult> {
  const hosts = join(engine.root, 'containers', id, 'hosts');
  renameSync(hosts, `${hosts}.kept`);
  assert.equal(runCommand('mkfifo', [hosts]).code, 0);
  // It reads that file while it holds the container's lock.
  const holder = runClient(engine, ['network', 'connect', 'other', id]);
  let reading: number | undefined;
  await until(() => {
    reading = openWhenRead(hosts);
    return reading !== undefined;
  }, 'the file is not read');
  const pid = Number(show(id, '{{.State.Pid}}'));
  process.kill(pid, 'SIGKILL');
  await until(() => !existsSync(`/proc/${pid}`), 'it does not end');
  await sleep(300);
  const client = runClient(engine, args);
  await sleep(500);
  renameSync(`${hosts}.kept`, hosts);
  assert.ok(reading !== undefined);
  closeSync(reading);
  const begun = performance.now();
  const result = await client;
  assert.ok(performance.now() - begun < 4000, `${args.join(' ')} took ${performance.now() - begun} ms`);
  await holder;
  return result;
}

const start = (...options: string[]) => docker('run', '-d', ...options, 'base:1', 'sleep', '1000');

test('a stop that meets an exit is done, and leaves no trace', async () => {
  docker('network', 'create', 'other');
  const id = start();
  const { code, stderr } = await duringExit(id, ['stop', '-t', '2', id]);
  assert.equal(code, 0, stderr);
  assert.equal(show(id, '{{.State.Status}} {{.State.ExitCode}}'), 'exited 137');
  assert.ok(!actionsOf(id).includes('kill'));
  docker('rm', id);
  const removed = start('--rm');
  assert.equal((await duringExit(removed, ['stop', '-t', '2', removed])).code, 0);
});

test('a restart that meets an exit starts the container', async () => {
  const id = start();
  const { code, stderr } = await duringExit(id, ['restart', '-t', '2', id]);
  assert.equal(code, 0, stderr);
  assert.equal(show(id, '{{.State.Status}}'), 'running');
  docker('rm', '-f', id);
});

test('a kill that meets an exit finds nothing to kill', async () => {
  for (const options of [[], ['--rm']]) {
    const id = start(...options);
    const { code, stderr } = await duringExit(id, ['kill', id]);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`container ${id} is not running`));
    if (options.length === 0) docker('rm', id);
  }
});

test('a stop may wait for longer than a timer can', () => {
  for (const seconds of ['2147484', '4294968']) {
    const id = docker(
      'run',
      '-d',
      'base:1',
      'sh',
      '-c',
      'trap "sleep 1; exit 3" TERM; while :; do sleep 0.1; done',
    );
    docker('exec', id, 'sleep', '0.3');
    docker('stop', '-t', seconds, id);
    assert.equal(show(id, '{{.State.ExitCode}}'), '3');
    docker('rm', id);
  }
});
