import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { RegistryError } from '../protocol/registry-error.ts';
import { credentialsOf } from './credentials.ts';
import { parseScopes } from './scopes.ts';
import type { TokenIssuer } from './token-issuer.ts';
import type { Users } from './users.ts';

const mostBodyBytes = 65_536;

/** Answers `GET /token` (Docker's token protocol) and `POST /token` (its OAuth2 form) with the body to send. */
export function createTokenEndpoint({
  issuer,
  users,
}: {
  readonly issuer: TokenIssuer;
  readonly users: Users;
}) {
  return async (request: IncomingMessage): Promise<object> => {
    const isPost = request.method === 'POST';
    const parameters = isPost ? await formOf(request) : new URL(request.url ?? '', 'http://x').searchParams;
    const service = parameters.get('service');
    if (service !== null && service !== issuer.service) {
      throw new RegistryError('DENIED', `unknown service ${JSON.stringify(service)}`, { status: 400 });
    }
    const user = isPost ? await userOfForm(parameters) : await userOfHeader(request);
    const answer = await issuer.issue(user, parseScopes(parameters.getAll('scope')));
    const wantsRefresh =
      parameters.get('offline_token') === 'true' || parameters.get('access_type') === 'offline';
    if (user === undefined || !wantsRefresh) return answer;
    return { ...answer, refresh_token: await issuer.issueRefresh(user) };
  };

  async function userOfHeader(request: IncomingMessage): Promise<string | undefined> {
    const credentials = credentialsOf(request);
    if (credentials.kind === 'none') return undefined;
    if (credentials.kind === 'bearer') return issuer.userOfRefresh(credentials.token);
    return login(credentials.user, credentials.password);
  }

  async function userOfForm(form: URLSearchParams): Promise<string> {
    switch (form.get('grant_type')) {
      case 'password':
        return login(form.get('username') ?? '', form.get('password') ?? '');
      case 'refresh_token':
        return issuer.userOfRefresh(form.get('refresh_token') ?? '');
      default:
        throw new RegistryError('UNSUPPORTED', 'unsupported grant_type', { status: 400 });
    }
  }

  async function login(user: string, password: string): Promise<string> {
    if (await users.verify(user, password)) return user;
    throw new RegistryError('UNAUTHORIZED', 'incorrect username or password');
  }
}

async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  if (Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY) > mostBodyBytes) {
    throw new RegistryError('SIZE_INVALID', 'the form is too large', { status: 413 });
  }
  return new URLSearchParams(await text(request));
}
