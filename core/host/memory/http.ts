import { type HttpHandler, type HttpRequest, type HttpServer, NetError } from "../../api/mod.ts";
import type { PeerAddress } from "../../wire/mod.ts";
import { toResponse } from "../http_body.ts";
import type { Life } from "./life.ts";

/** An HTTP server on a memory host: requests reach its handler as they are, no bytes in between. */
export class MemoryHttpServer implements HttpServer {
  readonly #handler: HttpHandler;
  readonly #stop = new AbortController();
  readonly #forget: () => void;
  readonly #release: (holder: MemoryHttpServer) => void;

  constructor(
    readonly address: PeerAddress | undefined,
    handler: HttpHandler,
    life: Life,
    release: (holder: MemoryHttpServer) => void,
  ) {
    this.#handler = handler;
    this.#release = release;
    this.#forget = life.atEnd(() => this.#stop.abort(new NetError("reset", "Connection reset by peer")));
  }

  /** Answers one request; breaks off when the server closes or dies, or the request's signal aborts. */
  async answer(request: HttpRequest, from?: PeerAddress): Promise<Response> {
    const signals = request.signal ? [this.#stop.signal, request.signal] : [this.#stop.signal];
    const signal = AbortSignal.any(signals);
    const response = await orAborted(this.#respond(toRequest(request, signal), from), signal);
    return toResponse(response, abortable(response.body, signal));
  }

  close(): Promise<void> {
    this.#forget();
    this.#release(this);
    this.#stop.abort(new NetError("closed", "The server is closed"));
    return Promise.resolve();
  }

  async #respond(request: Request, from: PeerAddress | undefined): Promise<Response> {
    try {
      return await this.#handler(request, from);
    } catch {
      return new Response("Internal Server Error", { status: 500 });
    }
  }
}

function toRequest({ url, method = "GET", headers = {}, body }: HttpRequest, signal: AbortSignal): Request {
  const plain = new URL(url);
  plain.hash = plain.username = plain.password = "";
  return new Request(plain, { method, headers: { host: url.host, ...headers }, body: body?.slice(), signal });
}

/** `work`, or a rejection with the signal's reason when that comes first. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort);
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

function abortable(body: ReadableStream<Uint8Array> | null, signal: AbortSignal): ReadableStream<Uint8Array> | null {
  if (!body) return null;
  const reader = body.getReader();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await orAborted(reader.read(), signal);
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        controller.error(error);
        reader.cancel(error).catch(() => {});
      }
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
}
