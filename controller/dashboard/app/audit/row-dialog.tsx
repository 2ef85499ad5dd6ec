import { escapeOutput } from '../../../../runtime/terminal-text.js';
import type { AuditView } from '../../../http/audit-schemas.js';
import { Dialog } from '../parts/dialog.js';
import { Subject } from './subject.js';

/** All of one row of the trail. */
export function RowDialog({
  row: { seq, at, actor, event, subject, details, hash },
  onClose,
}: {
  row: AuditView;
  onClose: () => void;
}) {
  const rest = Object.entries(details).map(([name, value]) => [name, escapeOutput(String(value))] as const);
  return (
    <Dialog title={event} onClose={onClose} isWide>
      <dl className="ask-facts">
        <dt>Row</dt>
        <dd>{seq}</dd>
        <dt>When</dt>
        <dd>
          <time dateTime={at}>{at}</time>
        </dd>
        <dt>Actor</dt>
        <dd>{escapeOutput(actor)}</dd>
        <dt>Subject</dt>
        <dd>
          <Subject subject={subject} />
        </dd>
        {rest.flatMap(([name, value]) => [
          <dt key={`${name} name`}>{name}</dt>,
          <dd key={name} className="lines">
            {value}
          </dd>,
        ])}
        <dt>Hash</dt>
        <dd>
          <code>{hash}</code>
        </dd>
      </dl>
    </Dialog>
  );
}
