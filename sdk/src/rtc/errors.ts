/** What can go wrong in a room, by name, with the code of the table (docs/codes.md) that comes nearest. */

export type RtcErrorName =
  | "NotInRoom"
  | "NoSuchParticipant"
  | "LimitExceeded"
  | "Signaling"
  | "Ice"
  | "Negotiation"
  | "DeviceForbidden"
  | "DeviceMissing"
  | "DeviceBusy"
  | "DeviceFailed"
  | "NotSupported"
  | "Closed";

const CODES: Record<RtcErrorName, number> = {
  NotInRoom: 103,
  NoSuchParticipant: 102,
  LimitExceeded: 106,
  Signaling: 100,
  Ice: 100,
  Negotiation: 100,
  DeviceForbidden: 103,
  DeviceMissing: 102,
  DeviceBusy: 108,
  DeviceFailed: 100,
  NotSupported: 108,
  Closed: 107,
};

export class RtcError extends Error {
  override readonly name: RtcErrorName;
  readonly code: number;

  constructor(name: RtcErrorName, message: string, code?: number) {
    super(message);
    this.name = name;
    this.code = code ?? CODES[name];
  }
}

/** What the server refused, by the code of its error. */
export function refused(error: unknown, what: string): RtcError {
  const code = (error as { code?: unknown }).code;
  const number = typeof code === "number" ? code : 100;
  const name = (
    { 102: "NoSuchParticipant", 103: "NotInRoom", 104: "NotSupported", 106: "LimitExceeded", 108: "NotSupported" } as const
  )[number];
  return new RtcError(name ?? "Signaling", `${what}: ${error instanceof Error ? error.message : String(error)}`, number);
}

/** Why a device was not given (a `DOMException` of getUserMedia or getDisplayMedia). */
export function deviceError(error: unknown, what: string): RtcError {
  const { name, message } = error as Error;
  if (name === "NotAllowedError" || name === "SecurityError") {
    return new RtcError("DeviceForbidden", `${what}: not allowed by the user, the system or the page's policy (${message})`);
  }
  if (name === "NotFoundError" || name === "OverconstrainedError") {
    return new RtcError("DeviceMissing", `${what}: there is no such device (${message})`);
  }
  if (name === "NotReadableError" || name === "AbortError") {
    return new RtcError("DeviceBusy", `${what}: in use by another program, or it does not start (${message})`);
  }
  return new RtcError("DeviceFailed", `${what}: ${name}: ${message}`);
}
