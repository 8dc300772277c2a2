import type { VNode } from 'preact';
import { useId, useState } from 'preact/hooks';
import type { DeadLetter } from '../answers.ts';
import { type AskError, ask, toAskError } from '../ask.ts';
import { formatCount, formatPlural, formatTimeUs } from '../format.ts';
import { useLive } from '../live.tsx';
import {
  Answered,
  Badge,
  Code,
  Empty,
  Facts,
  Failure,
  PageTitle,
  Panel,
  Table,
} from '../parts/basics.tsx';
import { Modal } from '../parts/modal.tsx';
import { useAnswer } from '../use-answer.ts';

const SHOWN_MAX = 200;
const EVERY_MS = 10_000;

interface Letters {
  readonly total: number;
  readonly letters: readonly DeadLetter[];
}

/** What is to be sent again: all that were not sent before, or the letter of an id. */
type Wanted = { readonly id?: number };

export function DeadLettersPage(): VNode {
  const answer = useAnswer<Letters>(`/v1/dead-letters?limit=${SHOWN_MAX}`, EVERY_MS);
  const [shown, setShown] = useState<DeadLetter | null>(null);
  const [wanted, setWanted] = useState<Wanted | null>(null);
  const [sent, setSent] = useState<string | null>(null);
  return (
    <>
      <PageTitle lead="Records that the engine could not use. They stay in their topic with their reason, their origin and their bytes; the stream goes on.">
        Dead letters
      </PageTitle>
      {sent !== null && (
        <p class="done" role="status">
          {sent}
        </p>
      )}
      <Answered answer={answer} what="the dead letters">
        {({ total, letters }) =>
          total === 0 ? (
            <Empty title="No dead letters">Every record that came could be used.</Empty>
          ) : (
            <List {...{ total, letters }} onShow={setShown} onRetryAll={() => setWanted({})} />
          )
        }
      </Answered>
      {shown !== null && (
        <Letter letter={shown} onClose={() => setShown(null)} onRetry={setWanted} />
      )}
      {wanted !== null && (
        <Confirm
          wanted={wanted}
          onClose={() => setWanted(null)}
          onDone={(text) => {
            setSent(text);
            setWanted(null);
            setShown(null);
            answer.refresh();
          }}
        />
      )}
    </>
  );
}

function List({
  total,
  letters,
  onShow,
  onRetryAll,
}: Letters & {
  readonly onShow: (letter: DeadLetter) => void;
  readonly onRetryAll: () => void;
}): VNode {
  const codes = [...new Set(letters.map(({ code }) => code))].toSorted();
  const [code, setCode] = useState('');
  const filter = useId();
  const found = letters.filter((letter) => code === '' || letter.code === code);
  return (
    <Panel
      title={formatPlural(total, 'letter')}
      aside={<RetryButton text="Retry all…" onClick={onRetryAll} />}
      {...(total > letters.length && {
        note: (
          <>
            The newest {letters.length}; <code>freshet dead-letters</code> lists all.
          </>
        ),
      })}
    >
      <div class="filter">
        <label for={filter}>Reason</label>
        <select
          id={filter}
          value={code}
          onChange={({ currentTarget }) => setCode(currentTarget.value)}
        >
          <option value="">all</option>
          {codes.map((each) => (
            <option key={each}>{each}</option>
          ))}
        </select>
      </div>
      <Table label="Dead letters" head={['Id#', 'Reason', 'From', 'Offset#', 'Arrived']}>
        {found.map((letter) => (
          <tr key={letter.id}>
            <th scope="row" class="figure">
              <button type="button" class="link" onClick={() => onShow(letter)}>
                <span class="visually-hidden">Show letter </span>
                {letter.id}
              </button>
            </th>
            <td>
              <Badge tone="bad">{letter.code}</Badge> <span class="reason">{letter.reason}</span>
            </td>
            <td class="name">
              {letter.topic}
              <span class="muted">[{letter.partition}]</span>
            </td>
            <td class="figure">{formatCount(letter.offset)}</td>
            <td class="time">{formatTimeUs(letter.timestampMs * 1_000)}</td>
          </tr>
        ))}
      </Table>
    </Panel>
  );
}

/** Without the scope it says so, and offers to be given a key. */
function RetryButton({
  text,
  onClick,
}: {
  readonly text: string;
  readonly onClick: () => void;
}): VNode {
  const { access, askKey } = useLive();
  if (access.write) {
    return (
      <button type="button" onClick={onClick}>
        {text}
      </button>
    );
  }
  return (
    <span class="no-write">
      <span class="muted">
        A retry writes: it needs a key, or <code>freshet ui --allow-writes</code>.
      </span>
      <button type="button" class="small" onClick={askKey}>
        Give a key
      </button>
    </span>
  );
}

function Letter({
  letter,
  onClose,
  onRetry,
}: {
  readonly letter: DeadLetter;
  readonly onClose: () => void;
  readonly onRetry: (wanted: Wanted) => void;
}): VNode {
  const { id, code, reason, topic, partition, offset, timestampMs, truncatedBytes } = letter;
  return (
    <Modal title={`Letter ${id}`} onClose={onClose}>
      <Facts
        rows={[
          ['Reason', <Badge tone="bad">{code}</Badge>],
          ['In words', reason],
          ['From', `${topic}[${partition}] at ${formatCount(offset)}`],
          ['Arrived', formatTimeUs(timestampMs * 1_000)],
        ]}
      />
      <Code title="Key">{letter.key ?? 'none'}</Code>
      <Code title="Value">{letter.value ?? 'none'}</Code>
      {truncatedBytes !== null && (
        <p class="note">
          The value had {formatCount(truncatedBytes)} bytes, too many to carry: it cannot be sent
          again.
        </p>
      )}
      <div class="actions">
        <button type="button" onClick={onClose}>
          Close
        </button>
        {truncatedBytes === null && (
          <RetryButton text="Retry this one…" onClick={() => onRetry({ id })} />
        )}
      </div>
    </Modal>
  );
}

function Confirm({
  wanted,
  onClose,
  onDone,
}: {
  readonly wanted: Wanted;
  readonly onClose: () => void;
  readonly onDone: (text: string) => void;
}): VNode {
  const [error, setError] = useState<AskError | null>(null);
  const [isSending, setIsSending] = useState(false);
  const send = async (): Promise<void> => {
    setIsSending(true);
    try {
      const { sent, truncated } = await ask<{ sent: number; truncated: number }>(
        '/v1/dead-letters/retry',
        { body: wanted },
      );
      const left = truncated === 0 ? '' : `; ${formatCount(truncated)} were too large to carry`;
      onDone(`${formatPlural(sent, 'record')} sent again${left}. What is still bad comes back.`);
    } catch (thrown) {
      setError(toAskError(thrown));
      setIsSending(false);
    }
  };
  const what =
    wanted.id === undefined ? 'every letter that was not sent before' : `letter ${wanted.id}`;
  return (
    <Modal title="Send again?" onClose={onClose}>
      <p>
        This appends the record of {what} to its topic once more. The engine reads it as any record:
        do it when the cause is mended. It cannot be taken back.
      </p>
      {error !== null && <Failure error={error} />}
      <div class="actions">
        <button type="button" onClick={onClose}>
          Cancel
        </button>
        <button type="button" class="primary" disabled={isSending} onClick={() => void send()}>
          {isSending ? 'Sending…' : 'Send again'}
        </button>
      </div>
    </Modal>
  );
}
