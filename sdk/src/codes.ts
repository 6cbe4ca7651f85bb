/** The codes that the SDK decides by; docs/codes.md has them all. */

export const BAD_REQUEST = 107;
export const LIMIT_EXCEEDED = 106;
export const UNAUTHORIZED = 101;
export const TOKEN_EXPIRED = 109;
export const EXPIRED = 110;
export const OUTCOME_UNKNOWN = 120;
export const CLOSED = 3000;
export const CONNECTION_EXPIRED = 3005;
export const NO_PONG = 3012;
export const INVALID_TOKEN = 3500;
export const SUPERSEDED = 3600;

/** Whether a client that was disconnected with this code may connect again. Unknown codes: a lost wire, so yes. */
export function mayReconnect(code: number): boolean {
  return !((code >= 3500 && code <= 3999) || (code >= 4500 && code <= 4999));
}
