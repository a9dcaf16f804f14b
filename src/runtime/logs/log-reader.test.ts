import assert from 'node:assert/strict';
import { appendFile, link, mkdtemp, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { createLogFiles, createLogReader, type LogQuery, type LogRecord } from '../index.ts';

const reader = createLogReader();
const both = { stdout: true, stderr: true };

function record(second: number, stream: 'stdout' | 'stderr', content: string): string {
  const time = `2026-01-31T12:00:${String(second).padStart(2, '0')}.123456789+00:00`;
  return content.endsWith('\n') ? `${time} ${stream} F ${content}` : `${time} ${stream} P ${content}\n`;
}

function nano(second: number): bigint {
  return BigInt(Date.UTC(2026, 0, 31, 12, 0, second)) * 1_000_000n + 123_456_789n;
}

async function readAll(path: string, query: LogQuery): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const some of reader.read(path, query)) records.push(...some);
  return records;
}

async function textOf(path: string, query: Partial<LogQuery> = {}): Promise<string> {
  const records = await readAll(path, { ...both, ...query });
  return records.map(({ data }) => data.toString('latin1')).join('');
}

describe('createLogReader()', () => {
  let path: string;

  beforeEach(async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'logs-'));
    path = join(directory, 'log');
    (t as TestContext).after(() => rm(directory, { recursive: true, force: true }));
  });

  test('read() gives stream, time and exact bytes', async () => {
    const odd = 'a\0b\r \xff P F\n';
    const text = record(1, 'stdout', odd) + record(2, 'stderr', 'no end') + record(3, 'stdout', '\n');
    await writeFile(path, Buffer.from(text, 'latin1'));
    const records = await readAll(path, both);
    assert.deepEqual(
      records.map(({ stream, time, data }) => [stream, time, data.toString('latin1')]),
      [
        ['stdout', '2026-01-31T12:00:01.123456789Z', odd],
        ['stderr', '2026-01-31T12:00:02.123456789Z', 'no end'],
        ['stdout', '2026-01-31T12:00:03.123456789Z', '\n'],
      ],
    );
  });

  test('read() of a missing or empty file is empty', async () => {
    assert.deepEqual(await readAll(path, both), []);
    await writeFile(path, '');
    assert.deepEqual(await readAll(path, { ...both, tail: 3 }), []);
  });

  test('read() filters by stream and time, both ends included', async () => {
    const lines = [1, 2, 3, 4, 5].map((n) => record(n, n % 2 === 0 ? 'stderr' : 'stdout', `${n}\n`));
    await writeFile(path, lines.join(''));
    assert.equal(await textOf(path, { stderr: false }), '1\n3\n5\n');
    assert.equal(await textOf(path, { stdout: false }), '2\n4\n');
    assert.equal(await textOf(path, { sinceNano: nano(2), untilNano: nano(4) }), '2\n3\n4\n');
    assert.equal(await textOf(path, { sinceNano: nano(2) + 1n, untilNano: nano(4) - 1n }), '3\n');
  });

  test('read() passes over what a crash left of a record', async () => {
    await writeFile(
      path,
      `${record(1, 'stdout', 'a\n')}torn\n${record(2, 'stdout', 'b\n')}2026-01-31T12:00:03.1`,
    );
    assert.equal(await textOf(path), 'a\nb\n');
  });

  test('tail counts lines from the end, a line in pieces once', async () => {
    const lines = Array.from({ length: 5000 }, (_, n) => record(n % 60, 'stdout', `line ${n}\n`));
    const long =
      record(1, 'stdout', 'x'.repeat(8192)) +
      record(1, 'stdout', 'y'.repeat(8192)) +
      record(1, 'stdout', 'z\n');
    await writeFile(path, `${lines.join('')}${long}${record(2, 'stdout', 'open')}`);
    const longText = `${'x'.repeat(8192)}${'y'.repeat(8192)}z\n`;
    assert.equal(await textOf(path, { tail: 0 }), '');
    assert.equal(await textOf(path, { tail: 1 }), 'open');
    assert.equal(await textOf(path, { tail: 2 }), `${longText}open`);
    assert.equal(await textOf(path, { tail: 4 }), `line 4998\nline 4999\n${longText}open`);
    for (const tail of [1000, 4999]) {
      assert.match(await textOf(path, { tail }), new RegExp(`^line ${5002 - tail}\n`));
    }
    assert.match(await textOf(path, { tail: 100_000 }), /^line 0\n/);
  });

  describe('lastLines()', () => {
    const last = async (query: { lines?: number; bytes?: number; sinceNano?: bigint } = {}) => {
      const lines = await reader.lastLines(path, { lines: 3, bytes: 100, ...query });
      return lines.map(({ stream, data }) => `${stream} ${data.toString('latin1')}`);
    };

    test('gives whole lines, joined from pieces between which others lie, since a time', async () => {
      assert.deepEqual(await last(), []);
      const text =
        record(1, 'stdout', 'one\n') +
        record(2, 'stdout', 'in ') +
        record(3, 'stderr', 'between\n') +
        record(4, 'stdout', 'pieces\n') +
        record(5, 'stdout', 'open');
      await writeFile(path, text);
      const rest = ['stdout in pieces\n', 'stderr between\n', 'stdout open'];
      assert.deepEqual(await last(), rest);
      assert.deepEqual(await last({ lines: 9 }), ['stdout one\n', ...rest]);
      assert.deepEqual(await last({ lines: 1 }), ['stdout open']);
      assert.deepEqual(await last({ bytes: 14 }), ['stdout s\n', 'stderr between\n', 'stdout open']);
      assert.deepEqual(await last({ sinceNano: nano(5) }), ['stdout open']);
    });

    test('reads a little of a big log, also of one line without an end', async () => {
      const piece = record(1, 'stdout', 'x'.repeat(8192));
      await writeFile(path, piece.repeat(100));
      const [line, ...others] = await last({ lines: 10, bytes: 4096 });
      assert.deepEqual(others, []);
      assert.equal(line, `stdout ${'x'.repeat(4096)}`);
    });

    test('goes back into a part that was rotated just now', async () => {
      await writeFile(`${path}.1`, record(1, 'stdout', 'a\n') + record(2, 'stdout', 'b\n'));
      assert.deepEqual(await last(), ['stdout a\n', 'stdout b\n']);
      await writeFile(path, record(3, 'stdout', 'c\n'));
      assert.deepEqual(await last({ lines: 2 }), ['stdout b\n', 'stdout c\n']);
    });
  });

  test('stream() makes a frame a record, with a time before each line', async () => {
    const text = record(1, 'stdout', 'one ') + record(2, 'stderr', 'err\n') + record(3, 'stdout', 'two\n');
    await writeFile(path, text);
    const time = (second: number) => `2026-01-31T12:00:0${second}.123456789Z `;
    const cases = [
      { framed: false, timestamps: false, expected: 'one err\ntwo\n' },
      { framed: false, timestamps: true, expected: `${time(1)}one ${time(2)}err\ntwo\n` },
      { framed: true, timestamps: false, expected: frame(1, 'one ') + frame(2, 'err\n') + frame(1, 'two\n') },
      {
        framed: true,
        timestamps: true,
        expected: frame(1, `${time(1)}one `) + frame(2, `${time(2)}err\n`) + frame(1, 'two\n'),
      },
    ];
    for (const { expected, ...options } of cases) {
      const chunks = await reader.stream(path, { ...both, ...options }).toArray();
      assert.equal(Buffer.concat(chunks as Buffer[]).toString(), expected);
    }
  });

  test('stream() joins records of one stream, up to 32 KiB, unless it follows', async () => {
    const line = `${'x'.repeat(1023)}\n`;
    const records = Array.from({ length: 40 }, (_, n) => record(n % 60, 'stdout', line));
    await writeFile(path, `${records.join('')}${record(59, 'stderr', 'err\n')}`);
    const lengthsOf = async (follow: object) => {
      const stream = reader.stream(path, { ...both, ...follow, framed: true, timestamps: false });
      const bytes = Buffer.concat((await stream.toArray()) as Buffer[]);
      const lengths: number[] = [];
      for (let at = 0; at < bytes.length; at += 8 + (lengths.at(-1) ?? 0))
        lengths.push(bytes.readUInt32BE(at + 4));
      return lengths;
    };
    assert.deepEqual(await lengthsOf({}), [32 * 1024, 8 * 1024, 4]);
    const followed = await lengthsOf({ follow: { ended: AbortSignal.abort() } });
    assert.deepEqual(followed, [...Array.from({ length: 40 }, () => 1024), 4]);
  });

  test('stream() gives lines of every length exactly, over many blocks', async () => {
    const contents = Array.from({ length: 3000 }, (_, n) => `${'abcdefg'.repeat(n % 700)}${n}\n`);
    await writeFile(path, contents.map((content) => record(1, 'stdout', content)).join(''));
    const chunks = await reader.stream(path, { ...both, framed: false, timestamps: false }).toArray();
    assert.equal(Buffer.concat(chunks as Buffer[]).toString(), contents.join(''));
  });

  test('follow goes on through appends, a torn write, rotation and truncation until the end', async () => {
    await writeFile(path, record(1, 'stdout', 'old\n') + record(1, 'stdout', 'a\n'));
    const ended = new AbortController();
    let text = '';
    const reading = (async () => {
      const query = { ...both, tail: 1, follow: { ended: ended.signal } };
      for await (const some of reader.read(path, query))
        text += some.map(({ data }) => data.toString()).join('');
    })();
    const until = async (expected: string) => {
      for (let tries = 0; tries < 200 && text !== expected; tries += 1) await delay(5);
      assert.equal(text, expected);
    };
    await until('a\n');
    const b = record(2, 'stderr', 'b\n');
    await appendFile(path, b.slice(0, 30));
    await delay(30);
    await appendFile(path, b.slice(30));
    await until('a\nb\n');
    // conmon's rotation.
    await appendFile(path, record(3, 'stdout', 'c\n'));
    await writeFile(`${path}.tmp`, '');
    await rename(`${path}.tmp`, path);
    await appendFile(path, record(4, 'stdout', 'd\n'));
    await until('a\nb\nc\nd\n');
    await truncate(path);
    await until('a\nb\nc\nd\n');
    await delay(30);
    await appendFile(path, record(5, 'stdout', 'e\n'));
    await until('a\nb\nc\nd\ne\n');
    await appendFile(path, record(6, 'stdout', 'f\n'));
    ended.abort();
    await reading;
    assert.equal(text, 'a\nb\nc\nd\ne\nf\n');
  });

  /** Lines n … n + 4, of 4 bytes each, as rotated part `number` or the current one. */
  async function part(number: number | undefined, first: number, compressed = false): Promise<void> {
    const lines = Array.from({ length: 5 }, (_, n) => record(first + n, 'stdout', `l${first + n}\n`)).join(
      '',
    );
    const name = number === undefined ? path : `${path}.${number}`;
    await writeFile(compressed ? `${name}.gz` : name, compressed ? gzipSync(lines) : lines);
  }

  function lines(first: number, last: number): string {
    return Array.from({ length: last - first + 1 }, (_, n) => `l${first + n}\n`).join('');
  }

  test('rotated parts come first, by number, whether compressed or not', async () => {
    await part(9, 10, true);
    await part(10, 15);
    await part(11, 20, true);
    await part(undefined, 25);
    await writeFile(`${path}.11.gz.tmp`, 'rubbish');
    await writeFile(`${path}.x`, 'rubbish');
    assert.equal(await textOf(path), lines(10, 29));
    assert.equal(await textOf(path, { sinceNano: nano(18), untilNano: nano(22) }), lines(18, 22));
    // One of which a killed engine left both forms.
    await part(11, 20);
    assert.equal(await textOf(path), lines(10, 29));
    await rm(path);
    assert.equal(await textOf(path), lines(10, 24));
    assert.equal(await textOf(path, { tail: 7 }), lines(18, 24));
  });

  test('tail counts lines over all parts', async () => {
    await part(1, 10, true);
    await part(2, 15);
    await part(3, 20, true);
    await part(undefined, 25);
    for (let tail = 0; tail <= 22; tail += 1) {
      assert.equal(await textOf(path, { tail }), lines(Math.max(10, 30 - tail), 29), `tail ${tail}`);
    }
    await writeFile(path, '');
    await appendFile(`${path}.2`, record(19, 'stdout', 'half '));
    await writeFile(`${path}.3.gz`, gzipSync(record(20, 'stdout', 'line\n') + record(21, 'stdout', 'open')));
    assert.equal(await textOf(path, { tail: 1 }), 'open');
    assert.equal(await textOf(path, { tail: 2 }), 'half line\nopen');
    assert.equal(await textOf(path, { tail: 3 }), 'l19\nhalf line\nopen');
    await appendFile(path, record(22, 'stdout', ' end\n'));
    assert.equal(await textOf(path, { tail: 1 }), 'open end\n');
  });

  test('a part that has two names is read once', async () => {
    await part(1, 10);
    await part(undefined, 15);
    await link(path, `${path}.2`);
    assert.equal(await textOf(path), lines(10, 19));
    assert.equal(await textOf(path, { tail: 6 }), lines(14, 19));
  });

  test('a part without its head is read from where its records begin', async () => {
    await part(1, 10);
    const content = await readFile(`${path}.1`);
    for (const head of [1, 70, 65_536, 200_001]) {
      await writeFile(`${path}.1`, Buffer.concat([Buffer.alloc(head), content]));
      assert.equal(await textOf(path), lines(10, 14));
      assert.equal(await textOf(path, { tail: 9 }), lines(10, 14));
    }
  });

  test('followers miss nothing and get nothing twice over many rotations', async () => {
    const limits = { maxBytes: 1000, maxFiles: 30, compress: true };
    const files = createLogFiles({ path, limits });
    const ended = new AbortController();
    const texts = ['', '', ''];
    await writeFile(path, '');
    const reading = texts.map(async (_, at) => {
      const query = { ...both, follow: { ended: ended.signal } };
      for await (const some of reader.read(path, query)) {
        texts[at] += some.map(({ data }) => data.toString()).join('');
        // A slow one is many parts behind.
        if (at === 2) await delay(20);
      }
    });
    let expected = '';
    for (let n = 0; n < 200; n += 1) {
      const content = n % 3 === 0 ? `half ${n} ` : `line ${n}\n`;
      expected += content;
      await appendFile(path, record(n % 60, 'stdout', content));
      if (n % 7 !== 0) continue;
      await files.rotate(async ({ path: log }) => {
        // Whoever writes goes on in the old file until then.
        expected += `late ${n}\n`;
        await appendFile(log, record(n % 60, 'stdout', `late ${n}\n`));
        await writeFile(`${log}.tmp`, '');
        await rename(`${log}.tmp`, log);
      });
      await files.compress(new AbortController().signal);
    }
    ended.abort();
    await Promise.all(reading);
    assert.deepEqual(texts, [expected, expected, expected]);
    assert.equal(await textOf(path), expected);
  });

  test('follow waits for a file that is not there yet, and stops with its signal', async () => {
    const stop = new AbortController();
    const query = { ...both, follow: { ended: new AbortController().signal } };
    const seen: string[] = [];
    const reading = (async () => {
      for await (const some of reader.read(path, query, stop.signal)) {
        seen.push(...some.map(({ data }) => data.toString()));
        stop.abort();
      }
    })();
    await delay(20);
    await writeFile(path, record(1, 'stdout', 'late\n'));
    await assert.rejects(reading, { name: 'AbortError' });
    assert.deepEqual(seen, ['late\n']);
  });

  test('a stream that follows can be destroyed while it waits', async () => {
    await writeFile(path, record(1, 'stdout', 'a\n'));
    const follow = { ended: new AbortController().signal };
    const stream = reader.stream(path, { ...both, framed: false, timestamps: false, follow });
    const [first] = (await stream.take(1).toArray()) as Buffer[];
    assert.equal(first?.toString(), 'a\n');
    if (!stream.closed) await new Promise((closed) => stream.once('close', closed));
  });
});

function frame(stream: number, content: string): string {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(content.length, 4);
  return header.toString() + content;
}
