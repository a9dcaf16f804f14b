import type { ContainerCreateRequest, ExecCreateRequest } from '../api/index.ts';
import { config, execConfig, hostConfig } from './container-kinds.ts';
import { type Fields, readFields } from './json-fields.ts';

/** Checks and normalizes the body of `POST /containers/create`: no nulls, commands as arrays. Throws `invalidArgument`. */
export function toCreateRequest(body: Fields): ContainerCreateRequest {
  return readFields(body, config);
}

export function toHostConfig(body: Fields): Fields {
  return readFields(body, hostConfig);
}

export function toExecRequest(body: Fields): ExecCreateRequest {
  return readFields(body, execConfig);
}
