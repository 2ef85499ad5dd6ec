import { Actor } from '../parts/actor.js';

/** Who asked: a person, a program, or somebody on a node itself. */
export function Asker({ id }: { id: string }) {
  const [, node, user] = /^local:([^/]+)\/(.*)$/s.exec(id) ?? [];
  if (node === undefined) return <Actor id={id} />;
  return (
    <>
      <bdi>{user}</bdi> on {node} itself
    </>
  );
}

const GRANT = 'grant:';

/** Who approved: a person, the policy, or a grant. */
export function Approver({ id }: { id: string }) {
  if (id === 'policy') return 'the policy';
  return id.startsWith(GRANT) ? `the grant ${id.slice(GRANT.length)}` : <Actor id={id} />;
}
