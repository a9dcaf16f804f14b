import assert from 'node:assert/strict';
import test from 'node:test';
import type { RetentionRule } from '../config/registry-config.ts';
import { type ContentDigest, contentDigestOf } from '../content-digest.ts';
import type { ManifestDocument } from '../protocol/manifest-document.ts';
import { type CollectionPolicy, planCollection, type RepositoryState } from './plan.ts';
import { expiredTags } from './retention.ts';

const day = 86_400_000;
const nowMs = 100 * day;
const policy: CollectionPolicy = {
  nowMs,
  unusedSinceMs: nowMs - day,
  retention: [],
  untaggedMs: undefined,
};

interface Sketch {
  readonly blobs?: readonly string[];
  readonly children?: readonly string[];
  readonly subject?: string;
  readonly ageDays?: number;
  readonly tags?: readonly string[];
}

/** A repository of manifests by their names, with the blobs they need and some that nobody does. */
function repositoryState(manifests: Readonly<Record<string, Sketch | null>>, loose: readonly string[] = []) {
  const links = (names: readonly string[] = []) =>
    names.map((name) => ({ digest: contentDigestOf(name), size: 1 }));
  const blobs = new Set([...loose, ...Object.values(manifests).flatMap((one) => one?.blobs ?? [])]);
  const state: RepositoryState = {
    name: 'x',
    tags: Object.entries(manifests).flatMap(([name, sketch]) =>
      (sketch?.tags ?? []).map((tag) => ({
        name: tag,
        digest: contentDigestOf(name),
        setMs: nowMs - (sketch?.ageDays ?? 10) * day,
      })),
    ),
    manifests: new Map(
      Object.entries(manifests).map(([name, sketch]) => {
        const document: ManifestDocument | undefined = sketch
          ? {
              mediaType: 'm',
              kind: sketch.children === undefined ? 'manifest' : 'index',
              blobs: links(sketch.blobs),
              foreign: [],
              children: links(sketch.children),
              ...(sketch.subject === undefined ? {} : { subject: contentDigestOf(sketch.subject) }),
            }
          : undefined;
        const digest = contentDigestOf(name);
        return [digest, { digest, size: 1, usedMs: nowMs - (sketch?.ageDays ?? 10) * day, document }];
      }),
    ),
    blobs: [...blobs].map((name) => ({ digest: contentDigestOf(name), size: 1, usedMs: 0 })),
  };
  const names = new Map([...Object.keys(manifests), ...blobs].map((name) => [contentDigestOf(name), name]));
  const namesOf = (all: readonly { readonly digest: ContentDigest }[]) =>
    all.map(({ digest }) => names.get(digest) ?? '');
  return { state, namesOf };
}

/** What is planned for such a repository, by names in order. */
function repositoryOf(...repository: Parameters<typeof repositoryState>) {
  const { state, namesOf } = repositoryState(...repository);
  return (changes: Partial<CollectionPolicy> = {}) => {
    const plan = planCollection(state, { ...policy, ...changes });
    return {
      tags: plan.tags.map(({ name }) => name).sort(),
      manifests: namesOf(plan.manifests).sort(),
      blobs: namesOf(plan.blobs).sort(),
    };
  };
}

const index = {
  index: { children: ['child', 'nested'], tags: ['latest'] },
  nested: { children: ['grandchild'] },
  child: { blobs: ['a', 'shared'] },
  grandchild: { blobs: ['b'] },
  signature: { blobs: ['c'], subject: 'index' },
  loose: { blobs: ['d', 'shared'] },
};
const nothing = { tags: [], manifests: [], blobs: [] };

test('planCollection() lets go of blobs that no manifest names', () => {
  assert.deepEqual(repositoryOf(index, ['left'])(), { ...nothing, blobs: ['left'] });
});

test('planCollection() keeps what an index and a subject hold when untagged manifests go', () => {
  const plan = repositoryOf(index)({ untaggedMs: 5 * day });
  assert.deepEqual(plan, { ...nothing, manifests: ['loose'], blobs: ['d'] });
  assert.deepEqual(repositoryOf(index)({ untaggedMs: 11 * day }), nothing);
});

test('planCollection() removes what only an expired tag held', () => {
  const retention: RetentionRule[] = [{ repositories: ['*'], tags: ['latest'], olderThanMs: day }];
  assert.deepEqual(repositoryOf(index)({ retention }), {
    tags: ['latest'],
    manifests: ['child', 'grandchild', 'index', 'nested', 'signature'],
    blobs: ['a', 'b', 'c'],
  });
  const child = { ...index.child, tags: ['child'] };
  assert.deepEqual(repositoryOf({ ...index, child })({ retention }).blobs, ['b', 'c']);
  const other = { children: ['child'], tags: ['other'] };
  assert.deepEqual(repositoryOf({ ...index, other })({ retention }).manifests, [
    'grandchild',
    'index',
    'nested',
    'signature',
  ]);
});

test('planCollection() leaves a tag as long as the time guard holds its manifest', () => {
  const retention: RetentionRule[] = [{ repositories: ['*'], tags: ['*'], keepLast: 0 }];
  const fresh = { fresh: { blobs: ['a'], tags: ['x'], ageDays: 0.5 } };
  assert.deepEqual(repositoryOf(fresh)({ retention }), nothing);
});

test('planCollection() keeps what the time guard holds, with all that it needs', () => {
  const retention: RetentionRule[] = [{ repositories: ['*'], tags: ['latest'], olderThanMs: day }];
  const child = { ...index.child, ageDays: 0.5 };
  const plan = repositoryOf({ ...index, child })({ retention });
  assert.deepEqual(plan.manifests, ['grandchild', 'index', 'nested', 'signature']);
  assert.deepEqual(plan.blobs, ['b', 'c']);
  const nested = { ...index.nested, ageDays: 0.5 };
  assert.deepEqual(repositoryOf({ ...index, nested })({ untaggedMs: 0, retention }).blobs, [
    'a',
    'c',
    'd',
    'shared',
  ]);
});

test('planCollection() puts an index before what it lists, and a manifest before what refers to it', () => {
  const tree = { c: { subject: 'b' }, b: { children: [] }, a: { children: ['b'] } };
  // An index that is also a referrer of what it lists: each holds the other.
  const circle = { x: { children: ['y'], subject: 'y' }, y: {} };
  const { state, namesOf } = repositoryState({ ...tree, ...circle });
  const order = namesOf(planCollection(state, { ...policy, untaggedMs: 0 }).manifests);
  assert.deepEqual(
    order.filter((name) => name in tree),
    ['a', 'b', 'c'],
  );
  assert.deepEqual(order.filter((name) => name in circle).sort(), ['x', 'y']);
});

test('planCollection() touches no blobs beside a manifest it cannot read', () => {
  assert.deepEqual(repositoryOf({ strange: null }, ['left'])(), nothing);
});

test('expiredTags() keeps the newest, and of the others the young, by the first rule that matches', () => {
  const tag = (name: string, ageDays: number) => ({
    name,
    digest: contentDigestOf(name),
    setMs: nowMs - ageDays * day,
  });
  const tags = [tag('pr-1', 1), tag('pr-2', 20), tag('pr-3', 30), tag('v1', 90), tag('main', 80)];
  const expired = (rules: readonly RetentionRule[], name = 'team/app') =>
    expiredTags({ name, tags }, rules, nowMs)
      .map((one) => one.name)
      .sort();
  const all = { repositories: ['team/**'] };
  assert.deepEqual(expired([{ ...all, tags: ['pr-*'], keepLast: 1 }]), ['pr-2', 'pr-3']);
  assert.deepEqual(expired([{ ...all, tags: ['pr-*'], olderThanMs: 25 * day }]), ['pr-3']);
  assert.deepEqual(expired([{ ...all, tags: ['*'], keepLast: 2, olderThanMs: 25 * day }]), [
    'main',
    'pr-3',
    'v1',
  ]);
  const guarded = [
    { ...all, tags: ['v*', 'main'], keepLast: 100 },
    { ...all, tags: ['*'], olderThanMs: day },
  ];
  assert.deepEqual(expired(guarded), ['pr-1', 'pr-2', 'pr-3']);
  assert.deepEqual(expired(guarded, 'other/app'), []);
  assert.deepEqual(expired([{ ...all, tags: ['*', '!v*'], keepLast: 0 }]), ['main', 'pr-1', 'pr-2', 'pr-3']);
});
