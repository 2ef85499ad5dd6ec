import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import type { GrantView } from '../../../http/grant-schemas.js';
import { call } from '../api/client.js';
import { grantsQuery } from '../api/queries.js';
import { Actor } from '../parts/actor.js';
import { FailureNote } from '../parts/failure-note.js';
import { Moment } from '../parts/moment.js';
import { useToast } from '../parts/toasts.js';
import { describeTarget } from '../parts/words.js';
import { useIsAdmin } from '../session/session.js';

const COLUMNS = ['Actions', 'On', 'Asked for by', 'Used', 'Until', 'Made by', 'Take back'];

/** What is approved beforehand at the moment, to be looked at and taken back. */
export function Grants() {
  const { data, error, hasNextPage, isFetchingNextPage, fetchNextPage } = useInfiniteQuery(grantsQuery());
  const active = data?.pages.flatMap(({ items }) => items).filter(({ state }) => state === 'active') ?? [];
  return (
    <section className="card" aria-labelledby="grants">
      <h2 id="grants">Grants</h2>
      {error !== null && <FailureNote error={error} />}
      {data !== undefined && active.length === 0 && <p className="hint">Nothing is approved beforehand.</p>}
      {active.length > 0 && (
        <table className="grants">
          <thead>
            <tr>
              {COLUMNS.map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {active.map((grant) => (
              <GrantRow key={grant.id} grant={grant} />
            ))}
          </tbody>
        </table>
      )}
      {hasNextPage && (
        <button type="button" disabled={isFetchingNextPage} onClick={() => fetchNextPage()}>
          Look for older ones
        </button>
      )}
    </section>
  );
}

function GrantRow({ grant }: { grant: GrantView }) {
  const { actions, sandbox, target, used, max_calls, expires_at, created_by } = grant;
  return (
    <tr>
      <td>
        <code>{actions.join(', ')}</code>
      </td>
      <td>{placeOf(target)}</td>
      <td>{sandbox === null ? 'everybody' : <Actor id={`sandbox:${sandbox}`} />}</td>
      <td>{max_calls === null ? `${used}, no limit` : `${used} of ${max_calls}`}</td>
      <td>
        <Moment at={expires_at} />
      </td>
      <td>{created_by}</td>
      <td>
        <Revoke grant={grant} />
      </td>
    </tr>
  );
}

function placeOf(target: GrantView['target']): string {
  if (!('integration' in target)) return describeTarget(target);
  if (target.integration === null) return 'an integration that was removed';
  return target.integration === '*' ? 'every integration' : `the integration ${target.integration}`;
}

function Revoke({ grant: { id, actions } }: { grant: GrantView }) {
  const isAdmin = useIsAdmin();
  const client = useQueryClient();
  const say = useToast();
  const { mutate: revoke, isPending } = useMutation({
    mutationFn: () => call<GrantView>('DELETE', `/grants/${encodeURIComponent(id)}`),
    onSuccess: () => say(`Revoked the grant for ${actions.join(', ')}`),
    onError: ({ message }) => say(`Error: ${message}`, { isError: true }),
    onSettled: () => client.invalidateQueries({ queryKey: ['grants'] }),
  });
  if (!isAdmin) return 'an admin may';
  return (
    <button type="button" className="danger" disabled={isPending} onClick={() => revoke()}>
      Revoke
    </button>
  );
}
