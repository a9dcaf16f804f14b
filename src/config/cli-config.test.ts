import assert from 'node:assert/strict';
import test from 'node:test';
import { cliConfig } from './cli-config.ts';

test('cliConfig() takes the version of the API and TLS from the environment', () => {
  const { apiVersion, tls } = cliConfig({}, { DOCKER_API_VERSION: 'v1.41', DOCKER_TLS: '1' });
  assert.deepEqual([apiVersion, tls], ['1.41', true]);
  const { apiVersion: newest, tls: plain } = cliConfig({}, {});
  assert.deepEqual([newest, plain], ['', false]);
});

test('cliConfig() takes the context of the environment where no host is given', () => {
  const environment = { DOCKER_CONTEXT: 'prod' };
  assert.equal(cliConfig({}, environment).context, 'prod');
  assert.equal(cliConfig({ context: 'other' }, environment).context, 'other');
  assert.equal(cliConfig({ host: 'tcp://x' }, environment).context, 'default');
  assert.equal(cliConfig({}, { ...environment, DOCKER_HOST: 'tcp://x' }).context, 'default');
});
