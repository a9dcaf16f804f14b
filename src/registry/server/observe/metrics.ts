import type { IncomingMessage, ServerResponse } from 'node:http';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Outcome } from '../protocol/app.ts';

const seconds = [0.005, 0.02, 0.1, 0.5, 2, 10, 60, 300];

/** What a registry counts, in the form Prometheus reads. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests = new Counter({
    name: 'gantry_registry_requests_total',
    help: 'Requests answered',
    labelNames: ['method', 'resource', 'status'],
    registers: [this.#registry],
  });
  readonly #duration = new Histogram({
    name: 'gantry_registry_request_duration_seconds',
    help: 'Time from the headers of a request to the end of its answer',
    labelNames: ['method', 'resource'],
    buckets: seconds,
    registers: [this.#registry],
  });
  readonly #bytes = new Counter({
    name: 'gantry_registry_bytes_total',
    help: 'Bytes of requests (in) and answers (out), as far as their headers tell',
    labelNames: ['direction'],
    registers: [this.#registry],
  });
  readonly #inFlight = new Gauge({
    name: 'gantry_registry_requests_in_flight',
    help: 'Requests under way',
    registers: [this.#registry],
  });
  readonly #cache = new Counter({
    name: 'gantry_registry_cache_total',
    help: 'Requests to a pull-through cache, by how they were answered',
    labelNames: ['kind', 'result'],
    registers: [this.#registry],
  });
  readonly #collected = new Counter({
    name: 'gantry_registry_collected_total',
    help: 'What garbage collections of this process removed',
    labelNames: ['kind'],
    registers: [this.#registry],
  });

  constructor() {
    collectDefaultMetrics({ register: this.#registry });
  }

  begin(): void {
    this.#inFlight.inc();
  }

  end(outcome: Outcome, request: IncomingMessage, response: ServerResponse): void {
    const labels = { method: outcome.method, resource: outcome.kind ?? 'other' };
    this.#inFlight.dec();
    this.#requests.inc({ ...labels, status: outcome.aborted ? 'aborted' : outcome.status });
    this.#duration.observe(labels, outcome.ms / 1_000);
    this.#bytes.inc({ direction: 'in' }, Number(request.headers['content-length'] ?? 0));
    if (outcome.aborted || outcome.method === 'HEAD') return;
    this.#bytes.inc({ direction: 'out' }, Number(response.getHeader('content-length') ?? 0));
  }

  cache(kind: 'manifest' | 'blob', result: 'hit' | 'miss' | 'stale' | 'shared'): void {
    this.#cache.inc({ kind, result });
  }

  collected(counts: Readonly<Record<string, number>>): void {
    for (const [kind, count] of Object.entries(counts)) this.#collected.inc({ kind }, count);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
