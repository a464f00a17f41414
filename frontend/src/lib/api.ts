// Calls to our own server. One error shape: {"code", "detail", "data"}.

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly data: unknown = null,
  ) {
    super(message);
  }
}

const OFFLINE = "The service did not answer. Check your connection and try again.";
const TIMEOUT_MS = 20_000;

export function csrfToken(): string {
  return document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]')?.content ?? "";
}

/**
 * Sends JSON, returns JSON (null for an empty answer). Throws ApiError with a sentence.
 * `keepalive` lets the request outlive the page (at most 64 KiB, by the browsers' rule).
 */
export async function api<T>(method: string, url: string, body?: unknown, keepalive = false): Promise<T> {
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      credentials: "same-origin",
      redirect: "error",
      keepalive,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: {
        Accept: "application/json",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(method === "GET" ? {} : { "X-CSRFToken": csrfToken() }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(0, "unreachable", OFFLINE);
  }
  const text = await response.text();
  const value = parse(text);
  if (response.ok) return value as T;
  throw errorFrom(response.status, value);
}

function parse(text: string): unknown {
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function errorFrom(status: number, value: unknown): ApiError {
  const shape = (value ?? {}) as { code?: unknown; detail?: unknown; data?: unknown };
  const code = typeof shape.code === "string" ? shape.code : `http_${status}`;
  const detail = typeof shape.detail === "string" ? shape.detail : fallback(status);
  return new ApiError(status, code, detail, shape.data ?? null);
}

function fallback(status: number): string {
  if (status === 403) return "The page was open too long. Reload it and try again.";
  if (status === 404) return "The service does not know this. Reload the page and try again.";
  if (status === 429) return "Too many requests. Wait a minute and try again.";
  return "The service failed. Nothing was sent. Try again in a minute.";
}
