/**
 * Numbered migrations: entry n takes the database from version n to n + 1 (`PRAGMA user_version`).
 * Never edit one that has been released; append. JSON columns hold the named type of the owning store.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE journal (
    cursor INTEGER PRIMARY KEY AUTOINCREMENT,
    time_nano INTEGER NOT NULL,
    type TEXT NOT NULL,
    action TEXT NOT NULL,
    id TEXT NOT NULL,
    attributes TEXT NOT NULL
  ) STRICT;
  CREATE INDEX journal_time ON journal (time_nano);

  CREATE TABLE leases (
    id TEXT PRIMARY KEY,
    expires_at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE lease_resources (
    lease_id TEXT NOT NULL REFERENCES leases (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    PRIMARY KEY (lease_id, kind, resource_id)
  ) STRICT, WITHOUT ROWID;

  -- Layer trees. kind is 'active' or 'committed'; name is the key or the chainID; directory the one under snapshots/.
  CREATE TABLE snapshots (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    directory TEXT NOT NULL UNIQUE,
    parent TEXT REFERENCES snapshots (name),
    init_layer INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    inodes INTEGER NOT NULL DEFAULT 0,
    -- Boot in which a committed tree was written, until its content is known to be on the disk.
    unsynced_boot TEXT
  ) STRICT;
  CREATE INDEX snapshots_parent ON snapshots (parent);

  CREATE TABLE images (
    id TEXT PRIMARY KEY,
    manifest_digest TEXT NOT NULL,
    -- The config's text: what the blob named by id holds, here so that listing reads no files.
    config TEXT NOT NULL,
    -- The layer blobs, base first: digest, size, mediaType. They are as they came, so that push gives the same digests.
    layers TEXT NOT NULL,
    parent_id TEXT,
    -- Bytes of its unpacked layers.
    size INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    last_tagged_at_ms INTEGER
  ) STRICT;
  CREATE INDEX images_parent ON images (parent_id);
  -- name is canonical: docker.io/library/busybox:latest, or with @digest.
  CREATE TABLE image_references (
    name TEXT PRIMARY KEY,
    image_id TEXT NOT NULL REFERENCES images (id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX image_references_image ON image_references (image_id);

  CREATE TABLE containers (
    id TEXT PRIMARY KEY,
    -- With the leading slash.
    name TEXT NOT NULL UNIQUE,
    image_id TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    -- ContainerRecord: what does not change while it runs.
    record TEXT NOT NULL,
    -- ContainerRunState: what does.
    state TEXT NOT NULL
  ) STRICT;
  CREATE INDEX containers_image ON containers (image_id);

  CREATE TABLE volumes (
    name TEXT PRIMARY KEY,
    created_at_ms INTEGER NOT NULL,
    anonymous INTEGER NOT NULL,
    seeded INTEGER NOT NULL DEFAULT 0,
    labels TEXT NOT NULL,
    options TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE volume_users (
    volume TEXT NOT NULL REFERENCES volumes (name),
    container_id TEXT NOT NULL,
    PRIMARY KEY (volume, container_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX volume_users_container ON volume_users (container_id);

  CREATE TABLE networks (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at_ms INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- One executed build step: what went into its key, and the image it gave.
  CREATE TABLE build_cache (
    key TEXT PRIMARY KEY,
    image_id TEXT NOT NULL,
    parent_key TEXT,
    description TEXT NOT NULL,
    -- Named inputs of the key, so that a miss can say which one changed.
    inputs TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    last_used_at_ms INTEGER NOT NULL,
    use_count INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Its image was what a build was asked for, and not only a step on the way. Images of earlier builds may all be.
  ALTER TABLE build_cache ADD COLUMN is_result INTEGER NOT NULL DEFAULT 0;
  UPDATE build_cache SET is_result = 1;
  CREATE INDEX build_cache_image ON build_cache (image_id);
  `,
  `
  -- How each ended run of a container went, its newest hundred.
  CREATE TABLE container_runs (
    container_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    run TEXT NOT NULL,
    PRIMARY KEY (container_id, number)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Leases of work that the next start of the engine may go on with.
  ALTER TABLE leases ADD COLUMN named INTEGER NOT NULL DEFAULT 0;

  -- What a plain layer blob was compressed to for a push, so that it is done once.
  CREATE TABLE compressed_layers (
    digest TEXT PRIMARY KEY,
    compressed_digest TEXT NOT NULL,
    compressed_size INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- What a prune would take: PrunePlan.
  CREATE TABLE prune_plans (
    id TEXT PRIMARY KEY,
    created_at_ms INTEGER NOT NULL,
    plan TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Volumes are filled when a container is made, if they are empty.
  ALTER TABLE volumes DROP COLUMN seeded;
  `,
  `
  -- A record of the build cache goes with its image.
  DELETE FROM build_cache WHERE image_id NOT IN (SELECT id FROM images);
  CREATE TRIGGER build_cache_image_gone AFTER DELETE ON images
  BEGIN
    DELETE FROM build_cache WHERE image_id = OLD.id;
  END;
  `,
];
