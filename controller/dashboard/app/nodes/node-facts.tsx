import type { NodeDetail } from '../../../http/schemas.js';
import { fromLabels } from '../parts/lists.js';
import { Ago, Moment } from '../parts/moment.js';

/** What is known of a node. */
export function NodeFacts({
  of: { agent_version, transport, groups, labels, enrolled_at, last_seen, open_executions, limits },
}: {
  of: NodeDetail;
}) {
  return (
    <dl className="facts">
      <dt>Heard</dt>
      <dd>
        <Ago at={last_seen} />
      </dd>
      <dt>Enrolled</dt>
      <dd>
        <Moment at={enrolled_at} />
      </dd>
      <dt>Agent</dt>
      <dd>{agent_version ?? (transport === 'http' ? 'none: it polls' : 'not heard yet')}</dd>
      <dt>Groups</dt>
      <dd>{groups.join(', ') || 'none'}</dd>
      <dt>Labels</dt>
      <dd>{fromLabels(labels).join(', ') || 'none'}</dd>
      <dt>Open</dt>
      <dd>{open_executions === 0 ? 'nothing' : `${open_executions} executions`}</dd>
      {limits.process_isolation !== undefined && (
        <>
          <dt>Ends what it started by</dt>
          <dd>{`${limits.process_isolation}`.replaceAll('_', ' ')}</dd>
        </>
      )}
    </dl>
  );
}
