import {
  type ByteString,
  cleanPath,
  encodeTarEntry,
  type TarEntry,
  TarParser,
  tarEnd,
  xattrKey,
} from '../../lib/tar/index.ts';
import {
  baseOf,
  joinPath,
  opaqueAttribute,
  opaqueName,
  overlayPrefix,
  parentOf,
  whiteoutPrefix,
} from './names.ts';

export interface ToOciOptions {
  /** Whether a directory stands at the path in the layers below: only there an opaque marker says anything. */
  readonly hasDirectoryBelow: (path: ByteString) => boolean;
}

/** A tar of a tree in overlay's form as an OCI layer: the reverse of `ToOverlay`. */
export class ToOci {
  readonly #parser = new TarParser();
  readonly #options: ToOciOptions;

  constructor(options: ToOciOptions) {
    this.#options = options;
  }

  /** What the next input bytes become; valid until the next call, like the input itself. */
  push(chunk: Buffer): Buffer[] {
    const out: Buffer[] = [];
    for (const part of this.#parser.push(chunk)) {
      if (part.kind === 'entry') out.push(...this.#entry(part.entry, part.raw));
      else if (part.kind === 'global') out.push(part.raw);
      else if (part.kind !== 'end') out.push(part.bytes);
    }
    return out;
  }

  /** The end of the archive. */
  finish(): Buffer {
    this.#parser.finish();
    return tarEnd;
  }

  #entry(entry: TarEntry, raw: Buffer): Buffer[] {
    const path = cleanPath(entry.path) ?? entry.path;
    if (entry.type === 'character' && entry.deviceMajor === 0 && entry.deviceMinor === 0) {
      const name = joinPath(parentOf(path), whiteoutPrefix + baseOf(path));
      // When something was deleted is no content: without it equal trees give equal layers.
      return [encodeTarEntry({ path: name, type: 'file', mode: 0 })];
    }
    const attributes = [...entry.pax.keys()].some((key) => key.startsWith(xattrKey(overlayPrefix)));
    if (!attributes) return [raw];
    const pax = new Map([...entry.pax].filter(([key]) => !key.startsWith(xattrKey(overlayPrefix))));
    const plain = encodeTarEntry({ ...entry, pax });
    const opaque = entry.type === 'directory' && entry.pax.get(xattrKey(opaqueAttribute)) === 'y';
    if (!opaque || !this.#options.hasDirectoryBelow(path)) return [plain];
    return [plain, encodeTarEntry({ path: joinPath(path, opaqueName), type: 'file', mode: 0 })];
  }
}
