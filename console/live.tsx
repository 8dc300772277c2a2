import { type ComponentChildren, createContext, type VNode } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import type { Access, Catalogue, Overview } from './answers.ts';
import { addBeat, type Beat } from './pulse.ts';
import { type Answer, useAnswer } from './use-answer.ts';

/** What every page knows. */
export interface Live {
  readonly overview: Answer<Overview>;
  /** The last minutes, a beat a second. */
  readonly beats: readonly Beat[];
  readonly catalogue: Answer<Catalogue>;
  readonly access: Access;
  /** Asks for a key. */
  readonly askKey: () => void;
}

const EVERY_MS = 1_000;
/** Definitions change when they are applied, which is rare. */
const CATALOGUE_EVERY_MS = 15_000;

const Context = createContext<Live | null>(null);

export function useLive(): Live {
  return useContext(Context) as Live;
}

export function LiveProvider({
  access,
  askKey,
  children,
}: {
  readonly access: Access;
  readonly askKey: () => void;
  readonly children: ComponentChildren;
}): VNode {
  const overview = useAnswer<Overview>('/v1/overview', EVERY_MS);
  const catalogue = useAnswer<Catalogue>('/v1/catalogue', CATALOGUE_EVERY_MS);
  const [beats, setBeats] = useState<readonly Beat[]>([]);
  const { data } = overview;
  useEffect(() => {
    if (data !== null) setBeats((before) => addBeat(before, data));
  }, [data]);
  return (
    <Context.Provider value={{ overview, beats, catalogue, access, askKey }}>
      {children}
    </Context.Provider>
  );
}
