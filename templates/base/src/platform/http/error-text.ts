/** The error body of the standard, for answers that no route makes. */
export function errorText(code: string, message: string, requestId: string): string {
  const timestamp = new Date().toISOString();
  return JSON.stringify({ error: { code, message, request_id: requestId, timestamp } });
}
