import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { apiUrl, call } from '../api/client.js';
import { FailureNote } from '../parts/failure-note.js';
import { Logo } from '../parts/logo.js';
import type { SigningIn } from './use-sign-in.js';

type Methods = Readonly<{ password: boolean; oidc: boolean }>;
type Way = 'password' | 'token';

/** Asks who it is: a name and password, an API token, a provider, or a link from `muster dashboard`. */
export function SignInPage({ signingIn: { error, isBusy, signIn } }: { signingIn: SigningIn }) {
  const [way, setWay] = useState<Way>('password');
  const { data: methods } = useQuery({
    queryKey: ['methods'],
    queryFn: ({ signal }) => call<Methods>('GET', '/auth/methods', { signal }),
  });
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const values = Object.fromEntries(new FormData(event.currentTarget));
    signIn(values);
  };
  return (
    <main className="sign-in">
      <h1>
        <Logo /> Muster
      </h1>
      <form onSubmit={submit} key={way}>
        {way === 'password' ? <PasswordFields /> : <TokenField />}
        {error !== undefined && <FailureNote error={error} />}
        <button type="submit" className="primary" disabled={isBusy}>
          Sign in
        </button>
      </form>
      <p className="other-ways">
        <button type="button" className="link" onClick={() => setWay(way === 'password' ? 'token' : 'password')}>
          {way === 'password' ? 'Sign in with an API token' : 'Sign in with name and password'}
        </button>
        {methods?.oidc === true && (
          <a href={apiUrl(`/auth/oidc/login?return_to=${encodeURIComponent(afterOidc())}`)}>Sign in at your provider</a>
        )}
      </p>
      <p className="hint">
        On the machine of the controller, <code>npx muster dashboard</code> opens this page signed in.
      </p>
    </main>
  );
}

function PasswordFields() {
  return (
    <>
      <label>
        Name
        <input name="user" autoComplete="username" required />
      </label>
      <label>
        Password
        <input name="password" type="password" autoComplete="current-password" required />
      </label>
    </>
  );
}

function TokenField() {
  return (
    <label>
      API token
      <input name="token" type="password" autoComplete="off" spellCheck={false} required />
    </label>
  );
}

/** Where the provider sends the browser back to. */
function afterOidc(): string {
  return `${new URL('.', document.baseURI).pathname}#/sign-in`;
}
