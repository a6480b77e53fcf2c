// oidc-provider with one account for each name, and a grant by which its one client signs them in without a browser:
//   POST /token  grant_type=urn:example:sign-in  account=ann  ->  an access token (RFC 9068) for the audience argv[2].
// Prints its issuer once it listens.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const SIGN_IN = 'urn:example:sign-in';
const audience = process.argv[2];
const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const resource = { scope: 'payroll', audience, accessTokenFormat: 'jwt', accessTokenTTL: 600 };
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' }] },
    clients: [{
      client_id: 'desk', client_secret: 'of the desk', token_endpoint_auth_method: 'client_secret_post',
      grant_types: [SIGN_IN], redirect_uris: [], response_types: [],
    }],
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true, defaultResource: () => audience, getResourceServerInfo: () => resource,
      },
    },
  });
  provider.registerGrantType(SIGN_IN, async (ctx) => {
    const { client, params } = ctx.oidc;
    const grant = new provider.Grant({ accountId: params.account, clientId: client.clientId });
    const grantId = await grant.save();
    const token = new provider.AccessToken({ accountId: params.account, client, grantId, gty: SIGN_IN });
    token.resourceServer = new provider.ResourceServer(audience, resource);
    token.scope = 'payroll';
    ctx.body = { access_token: await token.save(), token_type: token.tokenType, expires_in: token.expiration };
  }, ['account']);
  server.on('request', provider.callback());
  console.log(issuer);
});
