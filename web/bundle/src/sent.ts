// Transactions that were signed and whose fate nobody knows yet, kept in this browser until it is known.

export interface Sent {
  signature: string;
  transaction: string; // signed, base64
  title: string;
}

const NAME = "sent:";

// A browser may keep nothing; then a page that is closed forgets what it has sent, which changes nothing on the chain.
function quietly<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

export const remember = (sent: Sent) => quietly(() => localStorage.setItem(NAME + sent.signature, JSON.stringify(sent)));
export const forget = (sent: Sent) => quietly(() => localStorage.removeItem(NAME + sent.signature));

export function remembered(): Sent[] {
  const names = quietly(() => Object.keys(localStorage).filter((name) => name.startsWith(NAME))) ?? [];
  return names.flatMap((name) => quietly(() => JSON.parse(localStorage.getItem(name)!) as Sent) ?? []);
}
