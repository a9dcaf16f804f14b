/** An inline file: `<<NAME`, its lines, `NAME`. */
export interface Heredoc {
  readonly name: string;
  /** As written, leading tabs included; see `chompTabs`. */
  readonly content: string;
  /** False when any part of the name was quoted. */
  readonly expand: boolean;
  /** `<<-`: leading tabs are to be taken off. */
  readonly chomp: boolean;
  readonly fd: number;
}

/** One instruction as written: split into words, nothing validated or expanded. Lines count from 1. */
export interface Node {
  /** Lower case. */
  readonly name: string;
  readonly flags: readonly string[];
  /** ENV and LABEL give key, value, separator (`=` or '') triples. */
  readonly args: readonly string[];
  /** True when the arguments were a JSON array. */
  readonly json: boolean;
  /** The joined line, heredoc bodies not included. */
  readonly original: string;
  readonly heredocs: readonly Heredoc[];
  readonly startLine: number;
  readonly endLine: number;
  /** The instruction inside ONBUILD. */
  readonly child?: Node;
  /** The comment lines right above it. */
  readonly comments: readonly string[];
}

export interface Dockerfile {
  readonly nodes: readonly Node[];
  /** `\` or `` ` ``. */
  readonly escape: string;
  /** Value of the `syntax` directive. */
  readonly syntax?: string;
  /** Value of the `check` directive. */
  readonly check?: string;
}

/** A heredoc's text as its user gets it. */
export function heredocText(heredoc: Heredoc): string {
  return heredoc.chomp ? heredoc.content.replaceAll(/^\t+/gm, '') : heredoc.content;
}
