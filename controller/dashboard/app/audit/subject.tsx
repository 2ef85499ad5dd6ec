import { Link } from 'wouter';
import { escapeText } from '../../../../runtime/terminal-text.js';

/** What a row is about; a node or an invocation leads there. */
export function Subject({ subject }: { subject: string }) {
  const [, kind, id = ''] = /^(node|invocation):([^/]+)$/.exec(subject) ?? [];
  if (kind === undefined) return escapeText(subject);
  return <Link href={`/${kind}s/${encodeURIComponent(id)}`}>{escapeText(subject)}</Link>;
}
