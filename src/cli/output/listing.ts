import { compileTemplate, type Template } from '../../lib/template/index.ts';
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
    return rows.map((row) => `${render(row)}\n`).join('');
  }
  if (chosen === 'json') return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  if (chosen === '' || chosen === 'table' || chosen.startsWith('table ')) {
    const source = chosen.startsWith('table ') ? chosen.slice('table '.length) : listing.table;
    return renderTable({ ...listing, rows }, unescapeTabs(source));
  }
  const render = compile(unescapeTabs(chosen));
  return rows.map((row) => `${render(row)}\n`).join('');
}

function renderTable(listing: Listing, source: string): string {
  const render = compile(source);
  const heading = compile(headingSource(source))(headingsRow(listing.headings));
  return alignColumns([heading, ...listing.rows.map(render)]);
}

/** Functions of values (`upper`, `json`, …) are not for the headings. */
function headingSource(source: string): string {
  return source.replace(
    /\{\{\s*(?:json|upper|lower|title|truncate|printf)?\s*\(?\s*(\.[\p{L}.]+)[^}]*\}\}/gu,
    '{{$1}}',
  );
}

function headingsRow(headings: Readonly<Record<string, string>>): Row {
  const label = (name: unknown) => String(name).toUpperCase();
  return { ...headings, Label: label };
}

/** The shell hands `\t` over as two characters; Docker takes them for a tab. */
function unescapeTabs(source: string): string {
  return source.replaceAll('\\t', '\t').replaceAll('\\n', '\n');
}

/** Fields in the order of their names, as Go writes them; methods stay usable but are no part of the JSON. */
function sortedRow(row: Row): Row {
  return Object.fromEntries(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function compile(source: string): Template {
  return compileTemplate(source, {
    parse: 'failed to parse template: ',
    execute: 'failed to execute template: ',
  });
}

/** One value for `--format` of `info`, `version` and the like: `json`, or a template. */
export function renderValue(value: unknown, format: string): string {
  if (format.trim() === 'json') return `${JSON.stringify(value)}\n`;
  return `${compileTemplate(unescapeTabs(format))(value)}\n`;
}
