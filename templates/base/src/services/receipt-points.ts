/** A receipt with its money in cents: sums and multiples of amounts are only right in whole numbers. */
export interface Receipt {
  retailer: string;
  /** YYYY-MM-DD */
  purchaseDate: string;
  /** HH:MM, 24 hours */
  purchaseTime: string;
  totalCents: number;
  items: { shortDescription: string; priceCents: number }[];
}

/** One way to earn points. */
export interface Rule {
  name: string;
  description: string;
  points(receipt: Receipt): number;
}

/** What one rule gave. */
export interface Award {
  rule: string;
  points: number;
}

/** Every rule there is, in the order in which a breakdown lists them. Add one here and it counts. */
export const rules: readonly Rule[] = [
  {
    name: "retailer_name",
    description: "One point for every letter and digit of the retailer's name",
    points: ({ retailer }) => count(retailer, /[\p{L}\p{N}]/gu),
  },
  {
    name: "round_total",
    description: "50 points when the total is a round amount without cents",
    points: ({ totalCents }) => (totalCents % 100 === 0 ? 50 : 0),
  },
  {
    name: "quarter_total",
    description: "25 points when the total is a multiple of 0.25",
    points: ({ totalCents }) => (totalCents % 25 === 0 ? 25 : 0),
  },
  {
    name: "item_pairs",
    description: "5 points for every two items",
    points: ({ items }) => Math.floor(items.length / 2) * 5,
  },
  {
    name: "description_length",
    description:
      "A fifth of the price, rounded up, for every item whose trimmed description has a length that is a multiple of 3",
    points: ({ items }) =>
      items
        .filter(({ shortDescription }) => Array.from(shortDescription.trim()).length % 3 === 0)
        .reduce((sum, { priceCents }) => sum + Math.ceil(priceCents / 500), 0),
  },
  {
    name: "odd_day",
    description: "6 points when the day of the purchase is odd",
    points: ({ purchaseDate }) => (Number(purchaseDate.slice(-2)) % 2 === 1 ? 6 : 0),
  },
  {
    name: "afternoon",
    description: "10 points for a purchase from 14:00 until before 16:00",
    points: ({ purchaseTime }) => (purchaseTime >= "14:00" && purchaseTime < "16:00" ? 10 : 0),
  },
];

/** The points of a receipt, and which rule gave how many; rules that gave none are left out. */
export function scoreReceipt(receipt: Receipt): { points: number; breakdown: Award[] } {
  const breakdown = rules
    .map((rule) => ({ rule: rule.name, points: rule.points(receipt) }))
    .filter(({ points }) => points > 0);
  return { points: breakdown.reduce((sum, { points }) => sum + points, 0), breakdown };
}

/** An amount as written, `"12.25"`, in cents, without ever being a fraction. */
export function toCents(amount: string): number {
  return Number(amount.replace(".", ""));
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}
