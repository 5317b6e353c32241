// A real OpenID provider on PORT: people are those of PEOPLE (JSON: login to claims), any password counts.
// Its keys and sessions are new at each start, as after a change of keys.
import { generateKeyPairSync, randomUUID } from "node:crypto";

const { Provider } = await import(process.env.PROVIDER_MODULE);
const people = JSON.parse(process.env.PEOPLE);
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const provider = new Provider(`http://127.0.0.1:${process.env.PORT}`, {
  clients: [
    {
      client_id: process.env.CLIENT,
      client_secret: process.env.SECRET,
      redirect_uris: [`${process.env.SITE}/accounts/oidc/company/login/callback/`],
      post_logout_redirect_uris: [`${process.env.SITE}/admin/login/`],
    },
  ],
  claims: {
    openid: ["sub"],
    profile: ["name", "preferred_username"],
    email: ["email", "email_verified"],
    groups: ["groups"],
  },
  cookies: { keys: [randomUUID()] },
  findAccount: (_context, login) => ({ accountId: login, claims: () => ({ sub: login, ...people[login] }) }),
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid: randomUUID(), use: "sig", alg: "RS256" }] },
  pkce: { required: () => true },
});
provider.listen(process.env.PORT, "127.0.0.1");
