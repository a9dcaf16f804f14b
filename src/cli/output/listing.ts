import { EngineError } from '../../errors/index.ts';
import {
  compileTemplate,
  type Shape,
  Struct,
  type Template,
  type TemplateOptions,
  typed,
} from '../../lib/template/index.ts';
import { alignColumns } from './table.ts';

/** A row as templates see it: fields, or functions for what takes an argument or costs work. */
export type Row = Readonly<Record<string, unknown>>;

export interface Listing {
  /** Heading of every field a template may use. */
  readonly headings: Readonly<Record<string, string>>;
  /** The default table. */
  readonly table: string;
  /** What `-q` prints of a row. */
  readonly quiet?: string;
  readonly rows: readonly Row[];
}

/**
 * Renders a list for `--format`: '' and `table` give the default table, `table TEMPLATE` a table with headings, `json`
 * one object a line, `raw` is not supported, anything else is a Go template for each row.
 */
export function renderListing(listing: Listing, format: string, options: { quiet?: boolean } = {}): string {
  const chosen = format.trim();
  const rows = listing.rows.map(sortedRow);
  if (options.quiet === true && (chosen === '' || chosen === 'table') && listing.quiet !== undefined) {
    const render = compile(listing.quiet);
    return rows.map((row) => `${render(new Struct(row))}\n`).join('');
  }
  if (chosen === 'json') return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  if (isTable(format)) {
    const source = chosen.startsWith('table ') ? chosen.slice('table '.length) : listing.table;
    return renderTable({ ...listing, rows }, unescapeWhitespace(source));
  }
  const render = compile(unescapeWhitespace(chosen));
  return rows.map((row) => `${render(new Struct(row))}\n`).join('');
}

/** Several lists for a `--format` of them all: `json`, or a template over the rows of each. */
export function renderListings(listings: Readonly<Record<string, Listing>>, format: string): string {
  const chosen = format.trim().replace(/^table /, '');
  const lists = Object.entries(listings).map(
    ([name, { rows }]) => [name, rows.map((row) => new Struct(sortedRow(row)))] as const,
  );
  const render = compile(chosen === 'json' ? '{{json .}}' : unescapeWhitespace(chosen));
  return render(new Struct(Object.fromEntries(lists)));
}

/** Whether a `--format` of lists asks for a table, the default. */
export function isTable(format: string): boolean {
  return /^($|table$|table )/.test(format.trim());
}

function renderTable(listing: Listing, source: string): string {
  const render = compile(source);
  const heading = headingOf(source, listing.headings);
  return alignColumns([heading, ...listing.rows.map((row) => render(new Struct(row)))]);
}

/** Functions of values leave a heading as it is. */
const headingFunctions = Object.fromEntries(
  ['json', 'split', 'join', 'title', 'lower', 'upper', 'truncate'].map((name) => [
    name,
    (heading: unknown) => heading,
  ]),
);

/** The table's first line: the template over the headings. Where they are no values that it can work with it is empty. */
function headingOf(source: string, headings: Readonly<Record<string, string>>): string {
  const row = new Struct({ ...headings, Label: labelHeading });
  try {
    return compile(source, { functions: headingFunctions })(row);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return '';
  }
}

/** `com.example.my-label` is shown over as `my label`. */
function labelHeading(name: unknown): string {
  return String(name).split('.').at(-1)?.replaceAll(/[-_]/g, ' ') ?? '';
}

/** The shell hands `\t` over as two characters; in lists Docker takes them for a tab. */
function unescapeWhitespace(source: string): string {
  return source.replaceAll('\\t', '\t').replaceAll('\\n', '\n');
}

/** Fields in the order of their names, as Go writes them; methods stay usable but are no part of the JSON. */
function sortedRow(row: Row): Row {
  return Object.fromEntries(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function compile(source: string, options: Partial<TemplateOptions> = {}): Template {
  return compileTemplate(source, {
    ...options,
    parse: 'failed to parse template: ',
    execute: 'failed to execute template: ',
  });
}

/** Throws `invalidArgument` for a `--format` of one value that is no template. */
export function checkFormat(format: string): void {
  compileTemplate(format);
}

/**
 * One value for `--format` of `inspect`, `info` and the like: `json`, or a template. With a shape it is executed on
 * Docker's type; where that lacks a field, on the JSON as it is.
 */
export function renderValue(value: unknown, format: string, shape?: Shape): string {
  if (format.trim() === 'json') return `${JSON.stringify(value)}\n`;
  const onJson = compileTemplate(format, { strictKeys: true });
  if (shape === undefined) return `${onJson(value)}\n`;
  try {
    return `${compileTemplate(format)(typed(value, shape))}\n`;
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return `${onJson(value)}\n`;
  }
}
