import type { Duplex } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { EngineError } from '../errors/index.ts';
import { upgradeOf } from './upgrade.ts';

/** What is open right now, so that shutting down can end it: long answers and connections taken over. */
export class Calls {
  readonly #controllers = new Set<AbortController>();
  readonly #sockets = new Set<Duplex>();

  /** Aborts when the client leaves before the answer is complete, and at shutdown. */
  signalOf(request: FastifyRequest, reply: FastifyReply): AbortSignal {
    const controller = new AbortController();
    this.#controllers.add(controller);
    const connection = upgradeOf(request.raw)?.socket ?? reply.raw;
    connection.once('close', () => {
      this.#controllers.delete(controller);
      if (connection === reply.raw && reply.raw.writableFinished) return;
      controller.abort(new EngineError('cancelled', 'the client closed the connection'));
    });
    return controller.signal;
  }

  /** A connection that no longer belongs to the HTTP server. */
  track(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  endAll(): void {
    for (const controller of this.#controllers) {
      controller.abort(new EngineError('cancelled', 'the engine is shutting down'));
    }
    for (const socket of this.#sockets) socket.destroy();
  }
}
