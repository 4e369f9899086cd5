/** A receipt that the service keeps. */
export const RECEIPT = {
  retailer: "Target",
  purchaseDate: "2022-01-01",
  total: "6.49",
  items: [{ shortDescription: "Mountain Dew 12PK", price: "6.49" }],
};
