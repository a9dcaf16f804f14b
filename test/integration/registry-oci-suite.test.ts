import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { run } from '../../src/lib/run.ts';
import { temporaryDirectory } from '../support/files.ts';
import { startRegistry } from '../support/registry.ts';

const modulePath = 'github.com/opencontainers/distribution-spec/conformance';
/** The commit of v1.1.1: the suite's module has no tags of its own. */
const version = 'v0.0.0-20250123160558-a139cc423184';
const sums = [
  ' h1:7bNCAFy3pSZzsM+xTEhbhSKzYcVMVf/g8lT71MMlkjU=',
  '/go.mod h1:DOO4RzIigGVoAksLURsDbKHpJ8zX5eEQfsmkqY39yyE=',
];
const cache = join(import.meta.dirname, '../../node_modules/.cache/oci-conformance');
const suitePath = join(cache, `conformance-${version}.test`);

/** Enough for the Go tool, which finds everything else below the home directory. */
function environment(): Record<string, string> {
  const kept = ['HOME', 'PATH', 'GOPROXY', 'GOFLAGS', 'GOCACHE', 'GOMODCACHE', 'HTTPS_PROXY'];
  const given = kept.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const found = Object.fromEntries(given);
  return { ...found, PATH: `${found['PATH'] ?? ''}:/usr/local/go/bin`, CGO_ENABLED: '0' };
}

/** The compiled suite: given by OCI_CONFORMANCE, kept from an earlier run, or built; else the test is skipped. */
async function findSuite(t: TestContext): Promise<string | undefined> {
  const given = process.env['OCI_CONFORMANCE'];
  if (given !== undefined) return given;
  if (existsSync(suitePath)) return suitePath;
  mkdirSync(cache, { recursive: true });
  const scratch = temporaryDirectory(t);
  writeFileSync(join(scratch, 'go.mod'), `module scratch\n\ngo 1.20\n\nrequire ${modulePath} ${version}\n`);
  writeFileSync(join(scratch, 'go.sum'), sums.map((sum) => `${modulePath} ${version}${sum}\n`).join(''));
  const go = async (args: readonly string[], cwd: string) => {
    const { stdout } = await run('go', args, {
      cwd,
      env: environment(),
      signal: AbortSignal.timeout(400_000),
    });
    return stdout.trim();
  };
  try {
    const source = await go(['list', '-mod=mod', '-f', '{{.Dir}}', modulePath], scratch);
    await go(['test', '-c', '-o', suitePath, '.'], source);
  } catch (error) {
    t.skip(`Go, or the modules of the suite, are not to be had here: ${String(error).slice(0, 300)}`);
    return undefined;
  }
  return suitePath;
}

test("the registry passes the OCI's conformance suite, all four workflows", async (t) => {
  const suite = await findSuite(t);
  if (suite === undefined) return;
  const registry = await startRegistry(t);
  const { stdout } = await run(suite, ['-ginkgo.no-color', '-ginkgo.v'], {
    cwd: temporaryDirectory(t),
    env: {
      OCI_ROOT_URL: registry.url,
      OCI_NAMESPACE: 'conformance/one',
      OCI_CROSSMOUNT_NAMESPACE: 'conformance/two',
      OCI_AUTOMATIC_CROSSMOUNT: '0',
      OCI_TEST_PULL: '1',
      OCI_TEST_PUSH: '1',
      OCI_TEST_CONTENT_DISCOVERY: '1',
      OCI_TEST_CONTENT_MANAGEMENT: '1',
    },
    signal: AbortSignal.timeout(120_000),
  });
  const [, passed, failed, skipped] =
    /(\d+) Passed \| (\d+) Failed \| \d+ Pending \| (\d+) Skipped/.exec(stdout) ?? [];
  assert.equal(failed, '0', stdout);
  assert.ok(Number(passed) >= 75, stdout);
  // Four steps are for registries that answer a choice the other way; none is a workflow.
  assert.ok(Number(skipped) <= 4, stdout);
  assert.doesNotMatch(stdout, /workflow.*disabled|skipping.*workflow/i);
});
