import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test, { after, afterEach, describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startDaemon } from '../support/daemon.ts';
import { processes } from '../support/proc.ts';
import { until } from '../support/until.ts';

// `gantry update` of a running container, cut off at each of its steps.

const engine = await startDaemon({ after });

afterEach(() => {
  docker('rm', '-fv', 'app');
});

const docker = (...args: string[]) => engine.ok(args);
const show = (format: string) => docker('inspect', '-f', format, 'app');
const inside = (...command: string[]) => docker('exec', 'app', ...command);

const identity = `{{.Id}} {{.Created}} {{.Name}} {{.State.Running}}
{{range .NetworkSettings.Networks}}{{.NetworkID}} {{.IPAddress}} {{.MacAddress}} {{end}}`;

describe('an engine killed in the middle of an update', () => {
  const moments = (events: readonly string[], nth = 1) =>
    events.flatMap((event) => [0, 20].map((waitMs) => ({ event, nth, waitMs })));

  for (const event of ['kill', 'die', 'stop', 'update', 'start']) {
    test(`at "${event}" has the old container or the new one, running, when it is there again`, async () => {
      begin();
      const before = show(identity);
      let last = '0';
      for (const [round, moment] of moments([event]).entries()) {
        await killedAt(moment, '-e', `A=new${round}`, '-v', `/data${round}`);
        const what = `killed at ${JSON.stringify(moment)}`;
        assert.equal(show(identity), before, what);
        const value = inside('sh', '-c', 'echo $A');
        assert.ok(value === last || value === `new${round}`, `${what}: ${value} after ${last}`);
        // The row, the mounts and the process say the same.
        assert.ok(show('{{json .Config.Env}}').includes(`"A=${value}"`), what);
        assert.equal(show('{{json .Mounts}}').includes(`"/data${round}"`), value !== last, what);
        assert.equal(inside('cat', '/proc/mounts').includes(` /data${round} `), value !== last, what);
        assert.equal(inside('cat', '/layer', '/data/file'), 'kept\nkept', what);
        last = value;
      }
      assert.equal(engine.gantry(['update', '-e', 'A=end', 'app']).code, 0);
      assert.equal(inside('sh', '-c', 'echo $A'), 'end');
    });
  }

  test('has gone on from different steps', (t) => {
    t.diagnostic(`gone on with: ${stepsTaken()}`);
    assert.match(stepsTaken(), /stop.*start/);
  });

  test('goes back to the old container when the new one does not start', async (t) => {
    const file = join(engine.directory, 'file');
    writeFileSync(file, '');
    begin();
    const before = show(`${identity} {{json .Config}} {{json .HostConfig}} {{json .Mounts}}`);
    const volumes = docker('volume', 'ls', '-q');
    for (const moment of [...moments(['die', 'update']), ...moments(['update'], 2)]) {
      await killedAt(moment, '-e', 'A=new', '-v', '/more', '-v', `${file}:/data`);
      const what = `killed at ${JSON.stringify(moment)}`;
      assert.equal(show(`${identity} {{json .Config}} {{json .HostConfig}} {{json .Mounts}}`), before, what);
      assert.equal(inside('cat', '/layer', '/data/file'), 'kept\nkept', what);
    }
    t.diagnostic(`gone on with: ${stepsTaken()}`);
    assert.match(stepsTaken(), /restore/);
    docker('volume', 'prune', '-f');
    assert.equal(docker('volume', 'ls', '-q'), volumes);
  });
});

test('an engine that ends and stops its containers in the middle of an update leaves none running, and none half changed', async (t) => {
  await engine.end('SIGTERM');
  await engine.start(['--shutdown', 'stop']);
  const marker = `marker${process.pid}`;
  const script = `trap "sleep 0.5; exit" TERM; : ${marker}; while :; do sleep 0.1; done`;
  const ends: string[] = [];
  for (const [round, event] of ['kill', 'die', 'stop', 'update', 'start'].entries()) {
    docker('run', '-d', '--name', 'app', '-e', 'A=old', 'base:1', 'sh', '-c', script);
    inside('sh', '-c', 'echo kept > /layer');
    await endedAt({ event, nth: 1, waitMs: 0 }, ['-e', `A=new${round}`], async () => {
      await engine.end('SIGTERM');
      assert.equal(isRunning(marker), false, event);
      await engine.start(['--shutdown', 'stop']);
    });
    await settled();
    ends.push(`${event}: ${show('{{.State.Status}}')}`);
    assert.ok(show('{{json .Config.Env}}').includes(`"A=new${round}"`), event);
    if (show('{{.State.Running}}') === 'false') docker('start', 'app');
    assert.equal(inside('sh', '-c', 'echo $A; cat /layer'), `new${round}\nkept`, event);
    docker('rm', '-fv', 'app');
  }
  t.diagnostic(ends.join(', '));
  await engine.end('SIGTERM');
  await engine.start();
});

function begin(): void {
  const options = ['--rm', '--name', 'app', '-v', '/data', '-e', 'A=0', '--stop-signal', 'KILL'];
  docker('run', '-d', ...options, 'base:1', 'sh', '-c', 'mkdir /data/directory; exec sleep 1000');
  inside('sh', '-c', 'echo kept > /layer; echo kept > /data/file');
}

/** Updates, kills the engine a moment after an event, starts it again, and waits until it is done. */
async function killedAt(moment: Moment, ...args: string[]): Promise<void> {
  await endedAt(moment, args, async () => {
    await engine.end('SIGKILL');
    await engine.start();
  });
  await settled();
  assert.equal(show('{{.State.Running}}'), 'true');
}

interface Moment {
  readonly event: string;
  /** The how manieth of them. */
  readonly nth: number;
  readonly waitMs: number;
}

async function endedAt(
  { event, nth, waitMs }: Moment,
  args: readonly string[],
  restart: () => Promise<void>,
): Promise<void> {
  const filters = ['--filter', 'container=app', '--filter', `event=${event}`];
  const events = spawn('docker', ['-H', engine.host, 'events', ...filters, '--format', '{{.Action}}']);
  // Its first bytes say that it listens only once something has happened.
  await sleep(300);
  const happened = (async () => {
    let count = 0;
    for await (const _ of createInterface(events.stdout)) if ((count += 1) === nth) return;
  })();
  const call = spawn(join(import.meta.dirname, '../../bin/gantry'), ['update', ...args, 'app'], {
    env: { ...process.env, GANTRY_HOST: engine.host },
    stdio: 'ignore',
  });
  const over = once(call, 'exit');
  await Promise.race([happened, over]);
  await sleep(waitMs);
  await restart();
  events.kill();
  await over;
}

function isRunning(marker: string): boolean {
  return processes().some(({ words }) => words.some((word) => word.includes(`: ${marker};`)));
}

/** Another update is refused while one is under way. */
async function settled(): Promise<void> {
  const isSettled = () => engine.gantry(['update', '--dry-run', '-l', 'x=y', 'app']).code === 0;
  await until(isSettled, 'the update does not end', 60);
}

/** The steps at which later starts of the engine went on. */
function stepsTaken(): string {
  const log = readFileSync(join(engine.directory, 'daemon.log'), 'utf8');
  const lines = log.split('\n').filter((line) => line.includes('going on with the change'));
  return lines.map((line) => (JSON.parse(line) as { step: string }).step).join(' ');
}
