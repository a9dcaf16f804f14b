import assert from 'node:assert/strict';
import { request } from 'node:http';
import test, { after, afterEach, describe } from 'node:test';
import type { ContainerRun } from '../../src/api/index.ts';
import { startDaemon } from '../support/daemon.ts';
import { untilNow } from '../support/event-times.ts';
import { until } from '../support/until.ts';

// Why a container died, and stops that do not wait in vain.

const engine = await startDaemon({ after });

afterEach(() => {
  engine.docker(['rm', '-f', 'app']);
});

const docker = (...args: string[]) => engine.ok(args);

function gantry(...args: string[]): string {
  const { code, stdout, stderr } = engine.gantry(args);
  assert.equal(code, 0, stderr);
  return stdout;
}

/** Asks the API; a socket of its own, so that nothing is left open. */
async function runs(name: string): Promise<ContainerRun[]> {
  const socketPath = engine.host.slice('unix://'.length);
  const call = request({ socketPath, path: `/v1.50/gantry/containers/${name}/runs`, agent: false });
  const answered = Promise.withResolvers<string>();
  call.on('error', answered.reject).on('response', (response) => {
    response.toArray().then((parts) => {
      answered.resolve(Buffer.concat(parts as Buffer[]).toString());
    }, answered.reject);
  });
  call.end();
  return JSON.parse(await answered.promise) as ContainerRun[];
}

describe('runs', () => {
  test('keep how each one ended, over restarts of the daemon', async () => {
    docker('run', '--name', 'app', 'base:1', 'sh', '-c', 'echo run; [ -e /second ] && exit 3; touch /second');
    engine.docker(['start', '-a', 'app']);
    await engine.end('SIGKILL');
    await engine.start();
    const [first, second, ...others] = await runs('app');
    assert.deepEqual(others, []);
    assert.deepEqual([first?.Number, first?.ExitCode, second?.Number, second?.ExitCode], [1, 0, 2, 3]);
    assert.match(second?.Explanation ?? '', /^Its main process failed: exit code 3\.$/);
    assert.deepEqual(
      second?.Log.map(({ Text }) => Text),
      ['run\n'],
    );
    assert.ok(Date.parse(second?.StartedAt ?? '') >= Date.parse(first?.FinishedAt ?? ''));
    const [heading, ...lines] = gantry('runs', 'app').trimEnd().split('\n');
    assert.match(heading ?? '', /^RUN +STARTED +DURATION +EXIT CODE +EXPLANATION$/);
    assert.match(lines[1] ?? '', /^2 .* 3 +Its main process failed/);
    docker('rm', 'app');
    assert.match(engine.gantry(['runs', 'app']).stderr, /No such container: app/);
  });

  test('have each its part of the log', () => {
    docker('run', '--name', 'app', 'base:1', 'sh', '-c', 'cat /proc/sys/kernel/random/uuid');
    for (let run = 2; run <= 3; run += 1) docker('start', '-a', 'app');
    const all = docker('logs', 'app').split('\n');
    assert.equal(all.length, 3);
    assert.equal(gantry('logs', '--run', '0', 'app').trim(), all[2]);
    assert.equal(gantry('logs', '--run', '-1', 'app').trim(), all[1]);
    assert.equal(gantry('logs', '--run', '1', 'app').trim(), all[0]);
    assert.match(
      gantry('explain', 'app'),
      new RegExp(`app, run 3, begun .*\nIt came to its end.*\n\n.*\n${all[2]}`),
    );
    const missing = engine.gantry(['logs', '--run', '7', 'app']);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /There is no run 7: the container has 3 on record/);
  });

  test('keep the last lines of each, also once the log has lost them', async () => {
    const script = 'if [ -e /second ]; then seq 20000; else touch /second; echo out; echo err >&2; fi';
    const limits = ['--log-opt', 'max-size=20k', '--log-opt', 'max-file=1'];
    engine.docker(['run', '--name', 'app', ...limits, 'base:1', 'sh', '-c', script]);
    docker('start', '-a', 'app');
    await until(() => !docker('logs', 'app').includes('out'), 'the log keeps all');
    const [first, second] = await runs('app');
    assert.deepEqual(first?.Log.map(({ Stream, Text }) => `${Stream} ${Text}`).sort(), [
      'stderr err\n',
      'stdout out\n',
    ]);
    const last = Array.from({ length: 10 }, (_, n) => `${19_991 + n}\n`);
    assert.deepEqual(
      second?.Log.map(({ Text }) => Text),
      last,
    );
    const { stdout, stderr } = engine.gantry(['logs', '--run', '1', 'app']);
    assert.deepEqual([stdout, stderr], ['out\n', 'err\n']);
    assert.equal(gantry('logs', '--run', '1', '--tail', '0', 'app'), '');
    assert.ok(gantry('explain', 'app').endsWith(last.join('')));
  });

  test('tell a start that failed', async () => {
    engine.docker(['run', '--name', 'app', 'base:1', 'nosuch']);
    const [run] = await runs('app');
    assert.equal(run?.ExitCode, 127);
    assert.match(run.Explanation, /^It did not start: .*"nosuch": executable file not found/);
  });

  test('tell nothing of the run before when a start failed', async () => {
    docker('run', '-d', '--name', 'app', 'base:1', '/bin/sh', '-c', 'rm /bin/sh; exec sleep 1000');
    const isGone = () => engine.docker(['exec', 'app', 'ls', '/bin/sh']).code !== 0;
    await until(isGone, 'its shell is there');
    docker('stop', '-t', '0', 'app');
    assert.notEqual(engine.docker(['start', 'app']).code, 0);
    const [first, second] = await runs('app');
    assert.equal(first?.EndedBy?.Action, 'stop');
    assert.match(second?.Explanation ?? '', /^It did not start: .*\/bin\/sh.*no such file or directory/);
    assert.deepEqual([second?.EndedBy, second?.Health, second?.OOMKilled], [null, null, false]);
  });

  test('tell an end for want of memory', async () => {
    engine.docker([
      ...['run', '--name', 'app', '-m', '16m', '--memory-swap', '16m', 'base:1'],
      ...['sh', '-c', 'exec tail /dev/zero'],
    ]);
    const [run] = await runs('app');
    assert.equal(run?.OOMKilled, true);
    assert.match(run.Explanation, /^The kernel killed it for want of memory: .* 16 MiB \(--memory\)\.$/);
  });

  test('tell what a failing health check said last', async () => {
    docker(
      ...[
        'run',
        '-d',
        '--name',
        'app',
        '--health-cmd',
        'echo no database; exit 7',
        '--health-interval',
        '3s',
      ],
      ...['--health-retries', '1', 'base:1', 'sleep', '1000'],
    );
    await until(async () => (await runs('app'))[0]?.Health !== null, 'no health check ends', 120);
    docker('kill', 'app');
    const [run] = await runs('app');
    assert.match(run?.Explanation ?? '', /kill \(SIGKILL\), exit code 137\. .* exit code 7: no database\.$/);
  });
});

describe('a container that is deaf to its stop signal', () => {
  test('is told of while it runs, and as an event', async () => {
    docker('run', '-d', '--name', 'app', 'base:1', 'sleep', '1000');
    assert.match(
      gantry('explain', 'app'),
      /It runs\. A stop will have to kill it: .* no handler for SIGTERM/,
    );
    const events = () =>
      docker('events', '--since', '60', '--until', untilNow(), '--filter', 'event=stop_deaf');
    await until(() => /stop_deaf .*name=app.*signal=SIGTERM/.test(events()), events, 60);
  });

  test('is killed after its timeout, or at once if that is wanted', async () => {
    docker('run', '-d', '--name', 'app', 'base:1', 'sleep', '1000');
    docker('stop', '-t', '1', 'app');
    docker('start', 'app');
    gantry('stop', '--stop-deaf=kill', '--timeout', '300', 'app');
    docker('start', 'app');
    docker('restart', '-t', '1', 'app');
    docker('rm', '-f', 'app');
    docker('run', '-d', '--init', '--name', 'app', 'base:1', 'sleep', '1000');
    // An init awaits signals from a moment after its start on.
    await until(() => !/no handler/.test(gantry('explain', 'app')), 'the init awaits no signals', 60);
    gantry('stop', '--stop-deaf=kill', 'app');
    const [run] = await runs('app');
    assert.equal(run?.EndedBy?.Deaf, false);
    assert.match(run.Explanation, /^It ended as it was told to: stop \(SIGTERM\), exit code 143\.$/);
    docker('rm', 'app');
    assert.equal(engine.gantry(['stop', '--stop-deaf=maybe', 'app']).code, 1);
  });

  test('says so afterwards', async () => {
    docker('run', '-d', '--name', 'app', 'base:1', 'sleep', '1000');
    docker('stop', '-t', '0', 'app');
    const [run] = await runs('app');
    assert.deepEqual(
      [run?.EndedBy?.Action, run?.EndedBy?.Signal, run?.EndedBy?.Deaf, run?.EndedBy?.Forced],
      ['stop', 'SIGTERM', true, true],
    );
    assert.match(run?.Explanation ?? '', /^It was killed \(SIGKILL\) after stop \(SIGTERM\): .* no handler/);
  });
});
