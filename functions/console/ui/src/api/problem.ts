/** Errors as the API writes them (RFC 9457), and as everything else that can go wrong on the way. */

export interface ErrorDetail {
  location?: string;
  message: string;
}

export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly requestId: string | null;
  readonly errors: readonly ErrorDetail[];
  readonly retryAfterSeconds: number | null;

  constructor(given: {
    detail: string;
    status: number;
    code: string;
    requestId?: string | null;
    errors?: readonly ErrorDetail[];
    retryAfterSeconds?: number | null;
  }) {
    super(given.detail);
    this.name = "ApiProblem";
    this.status = given.status;
    this.code = given.code;
    this.requestId = given.requestId ?? null;
    this.errors = given.errors ?? [];
    this.retryAfterSeconds = given.retryAfterSeconds ?? null;
  }

  /** Whether the same request may go through later. */
  get isTransient(): boolean {
    return this.status === 0 || this.status === 429 || this.status === 502 || this.status === 503 || this.status === 504;
  }
}

/** Status 0: nothing came back. */
export function unreachable(error: unknown): ApiProblem {
  const timedOut = error instanceof DOMException && error.name === "TimeoutError";
  return new ApiProblem({
    detail: timedOut ? "No answer within 30 seconds." : "The API cannot be reached.",
    status: 0,
    code: timedOut ? "timeout" : "unreachable",
  });
}

/** An answer that is no success. Its body may be anything: a proxy's page, a cut-off document. */
export async function problemOf(response: Response): Promise<ApiProblem> {
  const retryAfter = Number(response.headers.get("retry-after"));
  const given = {
    status: response.status,
    requestId: response.headers.get("x-request-id"),
    retryAfterSeconds: Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter : null,
  };
  let body: unknown;
  try {
    body = await response.clone().json();
  } catch {
    body = null;
  }
  if (typeof body !== "object" || body === null || !("code" in body)) {
    return new ApiProblem({ ...given, code: "unreadable", detail: `The API answered ${response.status}, in no form that is known.` });
  }
  const problem = body as { detail?: unknown; code: unknown; errors?: unknown };
  return new ApiProblem({
    ...given,
    code: String(problem.code),
    detail: String(problem.detail ?? problem.code),
    errors: Array.isArray(problem.errors) ? (problem.errors as ErrorDetail[]) : [],
  });
}
