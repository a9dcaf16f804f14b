/** A value with fields and methods: one that it lacks is an error, as in Go. Its JSON is that it was made of. */
export class Struct {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly #json: unknown;

  constructor(fields: Readonly<Record<string, unknown>>, json: unknown = fields) {
    this.fields = fields;
    this.#json = json;
  }

  toJSON(): unknown {
    return this.#json;
  }
}
