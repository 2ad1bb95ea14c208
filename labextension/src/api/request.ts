/** One request to Slipway's REST API: the only place that speaks HTTP. */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

/** Why the server refused, and what to do next. */
export class ApiError extends Error {
  constructor(
    /** 0 when the server could not be reached. */
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint = ''
  ) {
    super(message);
    this.name = 'ApiError';
  }

  /** Message and hint as one text, for where there is no room for two. */
  get text(): string {
    return this.hint ? `${this.message} ${this.hint}` : this.message;
  }
}

export interface RequestOptions {
  query?: Record<string, string | number | undefined>;
  body?: unknown;
  /** Makes a repeated POST answer as the first one did. */
  key?: string;
}

export type Verb = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Where the resources below send their requests. */
export class Server {
  constructor(readonly settings: ServerConnection.ISettings) {}

  /** The address of a resource; each part is encoded. */
  url(...parts: (string | number)[]): string {
    return URLExt.join(
      this.settings.baseUrl,
      'slipway/api',
      ...parts.map(part => encodeURIComponent(String(part)))
    );
  }

  /**
   * Ask and decode the answer.
   *
   * Throws an `ApiError` for every refusal and when nobody answers.
   */
  async request<T>(verb: Verb, parts: (string | number)[], options: RequestOptions = {}): Promise<T> {
    const response = await this.send(verb, parts, options);
    return (await response.json()) as T;
  }

  /** As `request`, for what is not JSON. */
  async bytes(parts: (string | number)[]): Promise<Blob> {
    return (await this.send('GET', parts, {})).blob();
  }

  private async send(verb: Verb, parts: (string | number)[], options: RequestOptions): Promise<Response> {
    const query = Object.entries(options.query ?? {}).filter(
      ([, value]) => value !== undefined && value !== ''
    );
    const search = query.length
      ? `?${query.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join('&')}`
      : '';
    const init: RequestInit = {
      method: verb,
      headers: options.key ? { 'Idempotency-Key': options.key } : {}
    };
    if (options.body !== undefined) {
      init.body = JSON.stringify(options.body);
    }
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(this.url(...parts) + search, init, this.settings);
    } catch (error) {
      throw new ApiError(0, 'offline', error instanceof Error ? error.message : String(error));
    }
    if (!response.ok) {
      throw await refusal(response);
    }
    return response;
  }
}

/** What any failure of a request is to the views. */
export function asApiError(error: unknown): ApiError {
  return error instanceof ApiError
    ? error
    : new ApiError(500, 'error', error instanceof Error ? error.message : String(error));
}

async function refusal(response: Response): Promise<ApiError> {
  const problem = (await response.json().catch(() => null)) as Record<string, string> | null;
  const message = problem?.message || problem?.reason || response.statusText;
  return new ApiError(response.status, problem?.code ?? 'error', message, problem?.hint ?? '');
}
