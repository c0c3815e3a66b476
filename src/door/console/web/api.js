// Calls to the door.

const BASE = '/.duckbot/console';

/** Failure of a call, in words. */
class CallError extends Error {
  /** @param {{message: string, kind: string, position?: number, hint?: string}} error */
  constructor(error, answer = {}) {
    super(error.message);
    this.kind = error.kind;
    this.position = error.position;
    this.hint = error.hint;
    this.answer = answer;
  }
}

/** Browsers refuse to send more than 64 KiB while a page is being left. */
const MAX_KEEPALIVE = 60_000;

/** Calls without an effect. */
const READS = new Set([
  'info',
  'rows',
  'value',
  'tokens',
  'complete',
  'databases',
  'tables',
  'columns',
  'notebooks',
  'notebook',
  'history',
]);
const RETRY_MS = 400;

/** Tells listeners about calls: event `failed` with a {@link CallError} as detail, and `answered`. */
export const calls = new EventTarget();

const BY_STATUS = {
  401: ['signed-out', 'This browser is not signed in to the session any more.'],
  403: ['refused', 'The session refused this request. Reload the page.'],
  413: ['limit', 'This is too large for one request.'],
  421: ['ended', 'This session has ended.'],
};

function failure(status, answer) {
  const [kind, message] = BY_STATUS[status] ?? ['unavailable', 'The session did not answer as expected.'];
  if (status === 401 || status === 421) return new CallError({ kind, message });
  const error = answer?.error;
  if (!error) return status >= 400 || !answer ? new CallError({ kind, message }) : null;
  return new CallError({ ...error, kind: error.kind ?? kind, message: error.message ?? message }, answer);
}

function finish(status, answer) {
  const error = failure(status, answer);
  calls.dispatchEvent(new CustomEvent(error ? 'failed' : 'answered', { detail: error }));
  if (error) throw error;
  return answer;
}

/** Error of a request without an answer. */
function unreachable() {
  const error = new CallError({
    kind: 'unreachable',
    message: 'The session cannot be reached. Check your connection.',
  });
  calls.dispatchEvent(new CustomEvent('failed', { detail: error }));
  return error;
}

/**
 * Calls the door.
 * @param {string} name
 * @param {object} body
 * @param {{keepalive?: boolean}} options true: the request may outlive the page
 * @throws {CallError}
 */
export async function call(name, body = {}, { keepalive = false } = {}) {
  const json = JSON.stringify(body);
  const request = {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: json,
    redirect: 'error',
    keepalive: keepalive && json.length * 3 < MAX_KEEPALIVE,
  };
  try {
    return finish(...(await post(name, request)));
  } catch (error) {
    if (error instanceof CallError) throw error;
  }
  // Browsers drop requests when the network changes. Reading twice does no harm.
  if (!READS.has(name)) throw unreachable();
  await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  const answered = await post(name, request).catch(() => {
    throw unreachable();
  });
  return finish(...answered);
}

/** Sends a request. Returns the status and the JSON of the answer, if it is JSON. */
async function post(name, request) {
  const response = await fetch(`${BASE}/${name}`, request);
  return [response.status, await response.json().catch(() => null)];
}

/** Calls the door while the page is being left. The answer is not read. */
export function send(name, body) {
  const json = new Blob([JSON.stringify(body)], { type: 'application/json' });
  navigator.sendBeacon(`${BASE}/${name}`, json);
}

/**
 * Sends a file.
 * @param {File} file
 * @param {(part: number) => void} progress called with 0 to 1
 * @returns {Promise<{table: string, rows: number}>}
 */
export function upload(file, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', `${BASE}/upload?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader('content-type', 'application/octet-stream');
    request.upload.addEventListener('progress', (event) => progress(event.loaded / event.total));
    request.addEventListener('error', () => reject(unreachable()));
    request.addEventListener('load', () => {
      let answer = null;
      try {
        answer = JSON.parse(request.responseText);
      } catch {
        // An answer without JSON is a failure below.
      }
      try {
        resolve(finish(request.status, answer));
      } catch (error) {
        reject(error);
      }
    });
    request.send(file);
  });
}

/** ID of this page's tab. A reload keeps it; a duplicated tab gets another one. */
export const tab = (() => {
  const key = 'duckbot.tab';
  const entry = performance.getEntriesByType('navigation')[0];
  const known = sessionStorage.getItem(key);
  const id = known && entry?.type === 'reload' ? known : randomId();
  sessionStorage.setItem(key, id);
  return id;
})();

/** Random ID: 16 letters and digits. */
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (it) => 'abcdefghijklmnopqrstuvwxyz234567'[it & 31]).join('');
}
