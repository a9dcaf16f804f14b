import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { parse } from 'yaml';

type Json = Record<string, unknown>;
interface Operation {
  readonly responses: Readonly<Record<string, { readonly schema?: Json }>>;
}

/** Docker's own description of an API version, to hold answers against. */
export interface ApiSpec {
  /** What is wrong with an answer of a route, as the description writes its path; `[]` if nothing. */
  problems(answer: { method: string; route: string; status: number; body: unknown }): string[];
}

export function openApiSpec(version: string): ApiSpec {
  const file = join(import.meta.dirname, `../fixtures/engine-api/v${version}.yaml`);
  const document = parse(readFileSync(file, 'utf8')) as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
    readonly definitions: Json;
  };
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema({ $id: 'spec', definitions: withNulls(document.definitions) });
  const compiled = new Map<object, ValidateFunction>();
  return {
    problems: ({ method, route, status, body }) => {
      const operation = document.paths[route]?.[method.toLowerCase()];
      const response = operation?.responses[status];
      if (response === undefined) return [`${method} ${route} has no status ${status}`];
      const { schema } = response;
      if (schema === undefined || method === 'HEAD') return [];
      if (schema['type'] === 'string' && schema['format'] === 'binary') return [];
      const validate = compiled.get(schema) ?? ajv.compile(withNulls(schema) as Json);
      compiled.set(schema, validate);
      if (validate(body)) return [];
      return (validate.errors ?? []).map(
        (error) => `${method} ${route} ${error.instancePath} ${error.message ?? ''}`,
      );
    },
  };
}

/**
 * Swagger as JSON Schema: `x-nullable` is a type, and lists and maps that are empty may be null: they are Go's, whose
 * nil values the description passes over.
 */
function withNulls(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withNulls);
  if (typeof node !== 'object' || node === null) return node;
  const schema = Object.fromEntries(
    Object.entries(node).map(([key, value]) => [
      key,
      key === '$ref' && typeof value === 'string' ? value.replace(/^#/, 'spec#') : withNulls(value),
    ]),
  );
  const { type } = schema;
  const isNullable = schema['x-nullable'] === true;
  if ('$ref' in schema)
    return isNullable || 'x-nullable' in schema ? { anyOf: [schema, { type: 'null' }] } : schema;
  if (typeof type !== 'string' || 'in' in schema) return schema;
  if (!isNullable && type !== 'array' && type !== 'object') return schema;
  const enumeration = Array.isArray(schema['enum']) ? { enum: [...(schema['enum'] as unknown[]), null] } : {};
  return { ...schema, ...enumeration, type: [type, 'null'] };
}
