import assert from 'node:assert/strict';
import test from 'node:test';
import type { ContainerState } from '../api/index.ts';
import { newState } from './record.ts';
import { humanDuration, statusText } from './status-text.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

test('humanDuration() says what go-units says', () => {
  const table: [number, string][] = [
    [0, 'Less than a second'],
    [1.9 * second, '1 second'],
    [59 * second, '59 seconds'],
    [60 * second, 'About a minute'],
    [3 * minute, '3 minutes'],
    [59 * minute, '59 minutes'],
    [60 * minute, 'About an hour'],
    [89 * minute, 'About an hour'],
    [90 * minute, '2 hours'],
    [47 * hour, '47 hours'],
    [48 * hour, '2 days'],
    [13 * day, '13 days'],
    [14 * day, '2 weeks'],
    [59 * day, '8 weeks'],
    [60 * day, '2 months'],
    [729 * day, '24 months'],
    [730 * day, '2 years'],
  ];
  for (const [ms, text] of table) assert.equal(humanDuration(ms), text);
});

test('statusText() says what docker ps shows', () => {
  const at = '2026-01-01T00:00:00.000Z';
  const now = new Date(Date.parse(at) + 5 * minute);
  const base: ContainerState = {
    Status: 'created',
    Running: false,
    Paused: false,
    Restarting: false,
    OOMKilled: false,
    Dead: false,
    Pid: 0,
    ExitCode: 3,
    Error: '',
    StartedAt: newState.startedAt,
    FinishedAt: newState.finishedAt,
  };
  const ran = { ...base, StartedAt: at, FinishedAt: at };
  const health = (Status: 'none' | 'starting' | 'healthy' | 'unhealthy') => ({
    Health: { Status, FailingStreak: 0, Log: [] },
  });
  const table: [ContainerState, string][] = [
    [base, 'Created'],
    [{ ...base, StartedAt: at, Running: true }, 'Up 5 minutes'],
    [{ ...ran, Running: true, Paused: true, ...health('healthy') }, 'Up 5 minutes (Paused)'],
    [{ ...ran, Running: true, ...health('starting') }, 'Up 5 minutes (health: starting)'],
    [{ ...ran, Running: true, ...health('unhealthy') }, 'Up 5 minutes (unhealthy)'],
    [{ ...ran, Running: true, ...health('none') }, 'Up 5 minutes'],
    [{ ...ran, Running: true, Restarting: true }, 'Restarting (3) 5 minutes ago'],
    [ran, 'Exited (3) 5 minutes ago'],
    [{ ...ran, Dead: true }, 'Dead'],
    [{ ...ran, Status: 'removing' }, 'Removal In Progress'],
  ];
  for (const [state, text] of table) assert.equal(statusText(state, now), text);
});
