import type { DatabaseSync } from 'node:sqlite';
import type { Metadata, Transaction } from '../metadata/index.ts';
import {
  type ChainId,
  canonicalName,
  canonicalString,
  chainIdsOf,
  type Digest,
  type ImageId,
  parseImageConfig,
  parseReference,
  type Reference,
} from '../oci/index.ts';
import type { Image, ImageLayer } from './images.ts';

/** An image as it is stored: immutable but for its parent, which a removal takes away, and blobs that were lost. */
export interface ImageRow extends Image {
  readonly layers: readonly ImageLayer[];
  /** Snapshots of its layers, base first. */
  readonly chainIds: readonly ChainId[];
  /** Bytes of its unpacked layers. */
  readonly size: number;
  /** 0 when the config does not tell. */
  readonly createdAtMs: number;
  readonly lastTaggedAtMs?: number;
}

export type NewImageRow = Pick<ImageRow, 'id' | 'manifest' | 'layers' | 'parent' | 'size' | 'createdAtMs'> & {
  readonly configText: string;
  /** The image is here already, but blobs that its row names are lost: these stand for them. */
  readonly replaces: boolean;
};

interface StoredRow {
  readonly id: ImageId;
  readonly manifest_digest: Digest;
  readonly config: string;
  readonly layers: string;
  readonly parent_id: ImageId | null;
  readonly size: number;
  readonly created_at_ms: number;
  readonly last_tagged_at_ms: number | null;
}

type Parsed = Pick<ImageRow, 'config' | 'layers' | 'chainIds'>;

/** The tables `images` and `image_references`. Changes are made inside `transact` only. */
export class ImageRows {
  readonly #statements: ReturnType<typeof prepare>;
  /** Parsed text of the rows, which never changes for an id. */
  readonly #parsed = new Map<ImageId, Parsed>();

  constructor(metadata: Metadata) {
    this.#statements = prepare(metadata.db);
  }

  get(id: ImageId): ImageRow | undefined {
    const row = this.#statements.get.get(id) as StoredRow | undefined;
    return row === undefined ? undefined : this.#toRow(row);
  }

  /** The config as it is stored, unparsed. */
  configText(id: ImageId): string | undefined {
    return (this.#statements.get.get(id) as StoredRow | undefined)?.config;
  }

  /** Puts a row right whose config was damaged. */
  setConfigText(_transaction: Transaction, id: ImageId, text: string): void {
    this.#statements.setConfig.run(text, id);
    this.#parsed.delete(id);
  }

  all(): ImageRow[] {
    return this.#rows(this.#statements.all.all());
  }

  /** At most two images whose ids begin with these hex digits. */
  byPrefix(hex: string): ImageRow[] {
    return this.#rows(this.#statements.byPrefix.all(`sha256:${hex}`, `sha256:${hex}g`));
  }

  children(id: ImageId): ImageId[] {
    return this.#statements.children.all(id).map((row) => row['id'] as ImageId);
  }

  byReference(reference: Reference): ImageId | undefined {
    return this.#statements.byName.get(canonicalString(reference))?.['image_id'] as ImageId | undefined;
  }

  /** References of an image, sorted. */
  references(id: ImageId): Reference[] {
    return this.#statements.references.all(id).map((row) => parseReference(row['name'] as string));
  }

  /** All references, by image. */
  allReferences(): Map<ImageId, Reference[]> {
    const references = new Map<ImageId, Reference[]>();
    for (const row of this.#statements.allReferences.all()) {
      const id = row['image_id'] as ImageId;
      const reference = parseReference(row['name'] as string);
      const known = references.get(id);
      if (known === undefined) references.set(id, [reference]);
      else known.push(reference);
    }
    return references;
  }

  /** Tags of a repository with their images. */
  tagsOf(repository: Reference): { readonly reference: Reference; readonly id: ImageId }[] {
    const name = canonicalName(repository);
    // ';' follows ':' in ASCII.
    return this.#statements.tags.all(`${name}:`, `${name};`).map((row) => ({
      reference: parseReference(row['name'] as string),
      id: row['image_id'] as ImageId,
    }));
  }

  /** Digests that names carry. */
  namedDigests(): Digest[] {
    return this.#statements.digests
      .all()
      .flatMap((row) => parseReference(row['name'] as string).digest ?? []);
  }

  /** Names with a digest of images that have this layer blob. */
  namesWithLayer(digest: Digest): Reference[] {
    return this.#statements.withLayer
      .all(`%"${digest}"%`)
      .map((row) => parseReference(row['name'] as string));
  }

  /** A blob for each of these layers that an image has. */
  layersAt(chainIds: readonly ChainId[]): (ImageLayer | undefined)[] {
    const layers = new Map<ChainId, ImageLayer | undefined>();
    for (const image of this.all()) {
      for (const [index, chainId] of image.chainIds.entries()) layers.set(chainId, image.layers[index]);
    }
    return chainIds.map((chainId) => layers.get(chainId));
  }

  /** Inserts an image unless it is there, whole. */
  insert(_transaction: Transaction, row: NewImageRow): void {
    if (row.replaces) {
      this.#statements.setBlobs.run(row.manifest, JSON.stringify(row.layers), row.id);
      this.#parsed.delete(row.id);
    }
    this.#statements.insert.run(
      row.id,
      row.manifest,
      row.configText,
      JSON.stringify(row.layers),
      row.parent ?? null,
      row.size,
      row.createdAtMs,
    );
  }

  /** Points a reference at an image, from wherever it pointed. */
  setReference(_transaction: Transaction, reference: Reference, id: ImageId): void {
    this.#statements.setReference.run(canonicalString(reference), id);
    this.#statements.tagged.run(Date.now(), id);
  }

  removeReference(_transaction: Transaction, reference: Reference): void {
    this.#statements.removeReference.run(canonicalString(reference));
  }

  remove(_transaction: Transaction, id: ImageId): void {
    this.#statements.remove.run(id);
    this.#parsed.delete(id);
  }

  #rows(rows: readonly unknown[]): ImageRow[] {
    return rows.map((row) => this.#toRow(row as StoredRow));
  }

  #toRow(row: StoredRow): ImageRow {
    let parsed = this.#parsed.get(row.id);
    if (parsed === undefined) {
      const config = parseImageConfig(row.config);
      const layers = JSON.parse(row.layers) as ImageLayer[];
      parsed = { config, layers, chainIds: chainIdsOf(config.rootfs.diff_ids) };
      this.#parsed.set(row.id, parsed);
    }
    const chainId = parsed.chainIds.at(-1);
    return {
      ...parsed,
      id: row.id,
      manifest: row.manifest_digest,
      size: row.size,
      createdAtMs: row.created_at_ms,
      ...(chainId === undefined ? {} : { chainId }),
      ...(row.parent_id === null ? {} : { parent: row.parent_id }),
      ...(row.last_tagged_at_ms === null ? {} : { lastTaggedAtMs: row.last_tagged_at_ms }),
    };
  }
}

function prepare(db: DatabaseSync) {
  return {
    get: db.prepare('SELECT * FROM images WHERE id = ?'),
    all: db.prepare('SELECT * FROM images ORDER BY created_at_ms DESC, rowid DESC'),
    byPrefix: db.prepare('SELECT * FROM images WHERE id >= ? AND id < ? LIMIT 2'),
    children: db.prepare('SELECT id FROM images WHERE parent_id = ?'),
    byName: db.prepare('SELECT image_id FROM image_references WHERE name = ?'),
    references: db.prepare('SELECT name FROM image_references WHERE image_id = ? ORDER BY name'),
    allReferences: db.prepare('SELECT name, image_id FROM image_references ORDER BY name'),
    tags: db.prepare(
      'SELECT name, image_id FROM image_references WHERE name >= ? AND name < ? ORDER BY name',
    ),
    digests: db.prepare("SELECT name FROM image_references WHERE name LIKE '%@sha256:%'"),
    withLayer: db.prepare(
      `SELECT name FROM image_references JOIN images ON images.id = image_id
       WHERE name LIKE '%@sha256:%' AND layers LIKE ? ORDER BY name`,
    ),
    insert: db.prepare(
      `INSERT OR IGNORE INTO images (id, manifest_digest, config, layers, parent_id, size, created_at_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
    ),
    setReference: db.prepare(
      `INSERT INTO image_references (name, image_id) VALUES (?, ?)
       ON CONFLICT (name) DO UPDATE SET image_id = excluded.image_id`,
    ),
    tagged: db.prepare('UPDATE images SET last_tagged_at_ms = ? WHERE id = ?'),
    setBlobs: db.prepare('UPDATE images SET manifest_digest = ?, layers = ? WHERE id = ?'),
    setConfig: db.prepare('UPDATE images SET config = ? WHERE id = ?'),
    removeReference: db.prepare('DELETE FROM image_references WHERE name = ?'),
    remove: db.prepare('DELETE FROM images WHERE id = ?'),
  };
}
