import { validateHeaderName, validateHeaderValue } from "./node-http.ts";

/**
 * Checks headers where they are made, since there the stack still tells who made them.
 * @throws {TypeError} for what cannot be sent, such as a line break or a character beyond latin1.
 */
export function checkedHeaders(headers: Record<string, string> = {}): Record<string, string> {
  for (const [name, value] of Object.entries(headers)) {
    validateHeaderName(name);
    validateHeaderValue(name, value);
  }
  return headers;
}
