import { useQuery } from '@tanstack/react-query';
import { type ReactNode, useLayoutEffect, useMemo, useRef, useState } from 'react';
import type { ExecutionView } from '../../../http/schemas.js';
import { apiUrl } from '../api/client.js';
import { AnsiText } from '../parts/ansi-text.js';
import { FailureNote } from '../parts/failure-note.js';
import { type Output, outputPath, outputQuery, type Stream } from './output-query.js';

/** Nearer to the end than this is at the end. */
const AT_END_PX = 30;
/** Whether it was asked to stream is not known here. */
const LATER = ' yet. Unless it was asked to stream, output comes with the result.';

/** What an execution prints on one stream, while it does so. */
export function OutputPanel({ execution, stream }: { execution: ExecutionView; stream: Stream }) {
  const { data, error } = useQuery(outputQuery(execution, stream));
  const isRunning = execution.received_at === null;
  const text = useMemo(() => decode(data, isRunning), [data, isRunning]);
  if (data === undefined) return error === null ? <p className="waiting">Loading …</p> : <FailureNote error={error} />;
  if (data.end === 0) {
    return (
      <p className="hint">
        {stream}: nothing printed{isRunning && (stream === 'stdout' ? LATER : ' yet')}
      </p>
    );
  }
  return (
    <Scroller
      label={`${stream} of ${execution.node}`}
      text={text}
      isGrowing={isRunning}
      notes={notesOf(data, execution, stream)}
    >
      <h3>{stream}</h3>
      <span className="hint">{bytesInWords(data.end)}</span>
      <a
        href={apiUrl(outputPath(execution.invocation_id, execution.node, stream))}
        download={`${execution.node}-${execution.invocation_id}-${stream}.txt`}
      >
        Download
      </a>
    </Scroller>
  );
}

/** The text in a box that stays at its end while one is there; what has ended is read from its beginning. */
function Scroller({
  label,
  text,
  isGrowing,
  notes,
  children,
}: {
  label: string;
  text: string;
  isGrowing: boolean;
  notes: readonly string[];
  children: ReactNode;
}) {
  const ref = useRef<HTMLElement>(null);
  const topRef = useRef(0);
  const [isFollowing, setFollowing] = useState(isGrowing);
  const follow = (box: Element): void => {
    const isUp = box.scrollTop < topRef.current; // text that grows below is no reason to stay behind
    topRef.current = box.scrollTop;
    if (isAtEnd(box)) setFollowing(true);
    else if (isUp) setFollowing(false);
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is the text that makes the box longer
  useLayoutEffect(() => {
    if (isFollowing && ref.current !== null) ref.current.scrollTop = ref.current.scrollHeight;
  }, [text, isFollowing]);
  return (
    <div className="output">
      <header>
        {children}
        {isGrowing && (
          <button type="button" aria-pressed={isFollowing} onClick={() => setFollowing(!isFollowing)}>
            Follow
          </button>
        )}
      </header>
      {notes.map((note) => (
        <p key={note} className="hint">
          {note}
        </p>
      ))}
      <section
        ref={ref}
        className="terminal"
        aria-label={label}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
        tabIndex={0}
        onScroll={({ currentTarget }) => follow(currentTarget)}
      >
        <AnsiText text={text} />
      </section>
    </div>
  );
}

function isAtEnd({ scrollTop, scrollHeight, clientHeight }: Element): boolean {
  return scrollHeight - scrollTop - clientHeight < AT_END_PX;
}

/** A character that has come in part waits for its rest while there may be one. */
function decode(output: Output | undefined, isRunning: boolean): string {
  return new TextDecoder().decode(output?.bytes, { stream: isRunning });
}

function notesOf({ bytes, end, isComplete, isTruncated }: Output, execution: ExecutionView, stream: Stream): string[] {
  const total = execution[`${stream}_bytes`];
  const notes = [
    end > bytes.length ? `Only the end is shown, ${bytesInWords(bytes.length)}. The download has all of it.` : '',
    isTruncated ? 'The node dropped what came past its limit.' : '',
    total !== null && !isComplete && !isTruncated
      ? `Not all of it is here yet: it printed ${bytesInWords(total)}.`
      : '',
    execution[`${stream}_encoding`] === 'base64' ? 'It is not all text: what is not is shown as \ufffd.' : '',
  ];
  return notes.filter((note) => note !== '');
}

/** `812 bytes`, `1.5 kB`, `12 MB`. */
function bytesInWords(bytes: number): string {
  if (bytes < 1_000) return bytes === 1 ? '1 byte' : `${bytes} bytes`;
  const [size, unit] = bytes < 1_000_000 ? [bytes / 1_000, 'kB'] : [bytes / 1_000_000, 'MB'];
  return `${size.toFixed(size < 10 ? 1 : 0)} ${unit}`;
}
