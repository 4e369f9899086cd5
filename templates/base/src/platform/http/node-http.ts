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
