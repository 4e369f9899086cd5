/**
 * Node's own module. An `import` of it would read all its names, and one of them loads the whole of `fetch`: a tenth of
 * a start, in every process.
 */
export const {
  createServer,
  IncomingMessage,
  ServerResponse,
  STATUS_CODES,
  validateHeaderName,
  validateHeaderValue,
} = process.getBuiltinModule("node:http");

/** Response headers by name; a list is sent as several headers of that name, as for Set-Cookie. */
export type HeaderValues = Record<string, string | string[]>;

/**
 * Checks headers where they are made, since there the stack still tells who made them.
 * @throws {TypeError} for what cannot be sent, such as a line break or a character beyond latin1.
 */
export function checkedHeaders(headers: HeaderValues = {}): HeaderValues {
  for (const [name, value] of Object.entries(headers)) {
    validateHeaderName(name);
    for (const one of [value].flat()) validateHeaderValue(name, one);
  }
  return headers;
}
