import { escapeText } from '../../../../runtime/terminal-text.js';
import type { AuditView } from '../../../http/audit-schemas.js';
import { Moment } from '../parts/moment.js';
import { Subject } from './subject.js';

/** One row of the trail; its event opens all of it. */
export function AuditRow({ row, onOpen }: { row: AuditView; onOpen: (row: AuditView) => void }) {
  const { at, actor, event, subject } = row;
  return (
    <article className="audit-row">
      <span>
        <Moment at={at} />
      </span>
      <span>{escapeText(actor)}</span>
      <button type="button" className="link" title="Look at all of it" onClick={() => onOpen(row)}>
        {event}
      </button>
      <span>
        <Subject subject={subject} />
      </span>
      <span className="details">{detailsInWords(row)}</span>
    </article>
  );
}

/** `name=value` of each detail. */
function detailsInWords({ details }: AuditView): string {
  return escapeText(
    Object.entries(details)
      .map(([name, value]) => `${name}=${value}`)
      .join(' '),
  );
}
