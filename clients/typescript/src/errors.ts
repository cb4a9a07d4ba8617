import type { ErrorCode } from './generated/errors.gen.js';
import type { ApiError as DescribedError } from './generated/types.gen.js';

export type { ErrorCode };

/** What an error points at: a header, a parameter, or a JSON pointer into the body. */
export type ErrorSource = Partial<Record<'header' | 'parameter' | 'pointer', string>>;

/** One error of an answer; its `code` says what its `meta` holds. */
export type ErrorDetail = DescribedError;

/** What an answer is called that does not come from the API: a proxy's page, for one. */
export type UnexpectedAnswer = 'unexpected_answer';

interface Failure {
  status: number;
  errors: ErrorDetail[];
  requestId: string | undefined;
  retryAfterMs: number | undefined;
}

/** The server answered, and the answer is an error; the fields are those of the first. */
export class ApiError extends Error {
  override readonly name: string = 'ApiError';
  readonly code: ErrorCode | UnexpectedAnswer;
  /** The HTTP status of the answer. */
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly meta: Record<string, unknown>;
  readonly source: ErrorSource | undefined;
  readonly requestId: string | undefined;
  /** What the header `Retry-After` asked for. */
  readonly retryAfterMs: number | undefined;
  /** All errors of the answer; empty if it does not come from the API. */
  readonly errors: readonly ErrorDetail[];
  /** The key of the command that failed; under it, repeating does nothing twice. */
  idempotencyKey: string | undefined;

  constructor(failure: Failure) {
    const first = failure.errors[0];
    const title = first?.title ?? `The answer ${String(failure.status)} is not one of the API`;
    super(first?.detail ? `${title}: ${first.detail}` : title);
    this.code = first?.code ?? 'unexpected_answer';
    this.status = failure.status;
    this.title = title;
    this.detail = first?.detail ?? '';
    this.meta = first?.meta ?? {};
    this.source = first?.source;
    this.requestId = failure.requestId;
    this.retryAfterMs = failure.retryAfterMs;
    this.errors = failure.errors;
  }
}

/**
 * The log is not the one that this client followed (410): it was restored, or the
 * sequence lies beyond its head. Forget what was kept, and read everything anew.
 */
export class ResyncRequired extends ApiError {
  override readonly name = 'ResyncRequired';
}

/** No answer came; a command may have been carried out. */
export class NetworkError extends Error {
  override readonly name = 'NetworkError';
  /** The key of the command; repeating it under this key does nothing twice. */
  idempotencyKey: string | undefined;

  constructor(cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`No answer from the server: ${reason}`, { cause });
  }
}

/** What the body and the headers of a failed answer say. */
export function failureOf(
  status: number,
  body: unknown,
  header: (name: string) => string | undefined,
): ApiError | NetworkError {
  const errors = errorsOf(body);
  if (!errors.length && (status === 502 || status === 504))
    return new NetworkError(`a gateway answered ${String(status)}`); // it had no answer either
  const failure: Failure = {
    status,
    errors,
    requestId: header('x-request-id'),
    retryAfterMs: retryAfter(header('retry-after')),
  };
  return status === 410 ? new ResyncRequired(failure) : new ApiError(failure);
}

function errorsOf(body: unknown): ErrorDetail[] {
  const found = typeof body === 'object' && body !== null && 'errors' in body ? body.errors : [];
  return Array.isArray(found) ? (found as ErrorDetail[]) : [];
}

/** Seconds or a date (RFC 9110, section 10.2.3), as milliseconds from now. */
function retryAfter(value: string | undefined): number | undefined {
  if (!value) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const until = Date.parse(value);
  return Number.isNaN(until) ? undefined : Math.max(0, until - Date.now());
}
