// What the page asks of its own server. A refusal is a Problem, whose kind says what can be done about it.

export interface Prepared {
  title: string;
  transaction: string;
  signers: string[];
  moves: { token: string; units: string; amount: string }[];
  secs_left: number;
  chain: `${string}:${string}`;
  slot: number;
}

export interface Done {
  signature: string;
  slot: number;
  events: Record<string, unknown>[];
}

export class Problem extends Error {
  constructor(readonly kind: string, detail: string) {
    super(detail);
  }
}

async function post<T>(path: string, body: unknown): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  } catch {
    throw new Problem("pages-away", "these pages do not answer");
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Problem(String(told.type ?? answer.status), String(told.detail ?? answer.statusText));
  return told as T;
}

export const prepare = (kind: string, asked: object) => post<Prepared>(`/act/plans/${kind}`, asked);
export const submit = (transaction: string) => post<Done>("/act/transactions", { transaction });

// How many slots these pages are behind one; null where their indexer does not answer, or they do not.
export async function behind(slot: number): Promise<number | null> {
  try {
    const answer = await fetch(`/act/seen/${slot}`);
    return answer.ok ? ((await answer.json()) as { behind: number | null }).behind : null;
  } catch {
    return null;
  }
}

// What comes of a request that failed nobody knows: it may have arrived.
const UNSURE = ["pages-away", "actions-away", "chain-away", "chain-refused", "late", "too-many-requests", "internal"];
export const isUnsure = (error: unknown): error is Problem =>
  error instanceof Problem && (UNSURE.includes(error.kind) || /^5\d\d$/.test(error.kind));
