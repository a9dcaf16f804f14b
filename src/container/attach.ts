import { Writable } from 'node:stream';
import type { Attachment } from '../runtime/index.ts';
import type { AttachOptions, Session } from './containers.ts';

type Output = Attachment['output'];

interface Streams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

interface Place {
  readonly input: boolean;
  readonly attachment: PromiseWithResolvers<Attachment | undefined>;
}

/**
 * Clients that attached to a container before it started: `docker run` attaches, then starts. Each holds a place
 * that `connect` fills between the runtime's create and start, so that no byte is missed.
 */
export class PendingAttachments {
  readonly #waiting = new Map<string, Set<Place>>();

  session(id: string, streams: Streams): Session {
    const attachment = Promise.withResolvers<Attachment | undefined>();
    const place = { input: streams.stdin, attachment };
    const places = this.#waiting.get(id) ?? new Set();
    places.add(place);
    this.#waiting.set(id, places);
    return sessionOf(attachment.promise, streams, async () => {
      places.delete(place);
      attachment.resolve(undefined);
      const attached = await attachment.promise.catch(() => undefined);
      await attached?.[Symbol.asyncDispose]();
    });
  }

  /** Gives every waiting client an attachment of its own. Rejects as `attach` does, and so do the clients' streams. */
  async connect(
    id: string,
    attach: (options: { readonly input: boolean }) => Promise<Attachment>,
  ): Promise<void> {
    const places = this.#waiting.get(id);
    this.#waiting.delete(id);
    await Promise.all(
      [...(places ?? [])].map(async ({ input, attachment }) => {
        const attached = attach({ input });
        attachment.resolve(attached);
        await attached;
      }),
    );
  }

  /** The container will not start: the clients' streams end. */
  abandon(id: string): void {
    for (const { attachment } of this.#waiting.get(id) ?? []) attachment.resolve(undefined);
    this.#waiting.delete(id);
  }
}

/** A session on an attachment that may come later, or (`undefined`) never. */
export function sessionOf(
  attachment: Promise<Attachment | undefined>,
  streams: Streams,
  dispose: () => Promise<void>,
): Session {
  // Whoever reads or writes meets the rejection; nobody need be.
  attachment.catch(() => undefined);
  const input = streams.stdin ? inputOf(attachment) : undefined;
  return {
    tty: streams.tty,
    output: outputOf(attachment, streams),
    ...(input === undefined ? {} : { input }),
    [Symbol.asyncDispose]: async () => {
      // After what the client sent, however its connection ended: an exec's process would wait for more for ever.
      input?.end();
      await dispose();
    },
  };
}

async function* outputOf(attachment: Promise<Attachment | undefined>, streams: Streams): Output {
  const attached = await attachment;
  if (attached === undefined) return;
  for await (const chunk of attached.output) if (streams[chunk.stream]) yield chunk;
}

function inputOf(attachment: Promise<Attachment | undefined>): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      attachment.then((attached) => {
        if (attached === undefined) done();
        else attached.input.write(chunk, done);
      }, done);
    },
    final(done) {
      attachment.then((attached) => {
        if (attached === undefined) done();
        else attached.input.end(done);
      }, done);
    },
  });
}

/** The log so far, then what follows live. */
export async function* replayThen(
  log: AsyncIterable<{ stream: 'stdout' | 'stderr'; data: Buffer }[]>,
  live: Output | undefined,
): Output {
  for await (const records of log) yield* records;
  if (live !== undefined) yield* live;
}

/** What of a session the client asked for. */
export function streamsOf(
  options: AttachOptions,
  config: { readonly OpenStdin: boolean; readonly Tty: boolean },
): Streams {
  return {
    stdin: options.stdin && options.stream && config.OpenStdin,
    stdout: options.stdout,
    stderr: options.stderr,
    tty: config.Tty,
  };
}
