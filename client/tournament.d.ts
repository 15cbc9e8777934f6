/** What the API answers; docs/openapi.yaml describes each document. */
export type Document = Record<string, any>;

/** The API's error: 401, 403, 404 or another 4xx. */
export interface ApiError {
    success: false;
    error: string;
    code: string;
}

export interface Options {
    /**
     * The URL of the document's stream, where the server has one
     * (tournament_stream).  Without it, or where it is refused, the document is
     * polled.
     */
    stream?: string;

    /** Milliseconds between two polls, plus or minus a fifth.  5000 */
    interval?: number;

    /** As for fetch(): whether cookies are sent.  "same-origin" */
    credentials?: RequestCredentials;

    /** The document is not to be had, and nothing is asked any more. */
    onerror?: (error: Partial<ApiError>, status: number) => void;
}

export interface Watcher {
    /** The newest document; undefined before the first one. */
    readonly document: Document | undefined;

    /** The server cannot be reached, or cannot reach its database. */
    readonly stale: boolean;

    /**
     * Seconds that are left now, never less than 0, of a number of seconds in
     * the document, such as state.seconds_until_start.  null stays null.
     */
    left(seconds: number | null): number | null;

    /** Asks at once. */
    refresh(): void;

    /** Watches no more. */
    close(): void;
}

/**
 * Calls onchange with the document of url as it is now, and again whenever there
 * is a newer one or "stale" changes.  Nothing is asked while the page is hidden;
 * once it is seen it catches up.
 */
export function watch(
    url: string,
    onchange: (
        document: Document,
        info: { stale: boolean; watcher: Watcher },
    ) => void,
    options?: Options,
): Watcher;
