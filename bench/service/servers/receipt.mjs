// The same work as the service's example, for the bare servers: nothing but the answer itself.
const rules = [
  {
    name: "retailer_name",
    points: ({ retailer }) => retailer.match(/[\p{L}\p{N}]/gu)?.length ?? 0,
  },
  { name: "round_total", points: ({ cents }) => (cents % 100 === 0 ? 50 : 0) },
  { name: "quarter_total", points: ({ cents }) => (cents % 25 === 0 ? 25 : 0) },
  { name: "item_pairs", points: ({ items }) => Math.floor(items.length / 2) * 5 },
  {
    name: "description_length",
    points: ({ items }) =>
      items
        .filter(({ shortDescription }) => Array.from(shortDescription.trim()).length % 3 === 0)
        .reduce((sum, { price }) => sum + Math.ceil(toCents(price) / 500), 0),
  },
  {
    name: "odd_day",
    points: ({ purchaseDate }) => (Number(purchaseDate.slice(-2)) % 2 === 1 ? 6 : 0),
  },
  {
    name: "afternoon",
    points: ({ purchaseTime }) => (purchaseTime >= "14:00" && purchaseTime < "16:00" ? 10 : 0),
  },
];

const toCents = (amount) => Number(amount.replace(".", ""));

/** The points of a receipt, as the service answers them. */
export function score(receipt) {
  const whole = { ...receipt, cents: toCents(receipt.total) };
  const breakdown = rules
    .map(({ name, points }) => ({ rule: name, points: points(whole) }))
    .filter(({ points }) => points > 0);
  return { points: breakdown.reduce((sum, { points }) => sum + points, 0), breakdown };
}
