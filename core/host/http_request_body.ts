import { type BodyReader, toStream } from "./http_body.ts";
import { BadRequest } from "./http_request.ts";

/** Gets to know when a body's client is waited for: from `began` to `ended`. */
export interface BodyWait {
  began(): void;
  ended(): void;
}

/** The body of a request, read as its handler asks for it. */
export class RequestBody {
  readonly stream: ReadableStream<Uint8Array>;
  /** It was read to its end: what comes next is no part of it. */
  read = false;
  /** What was wrong with it. */
  fault: BadRequest | undefined;
  #giveUp: ((reason: BadRequest) => void) | undefined;

  constructor(next: BodyReader, wait: BodyWait) {
    this.stream = toStream(async () => {
      wait.began();
      try {
        const part = await this.#orGivenUp(next());
        this.read = part === undefined;
        return part;
      } catch (error) {
        this.fault = error instanceof BadRequest ? error : new BadRequest(400, (error as Error).message);
        throw this.fault;
      } finally {
        this.#giveUp = undefined;
        wait.ended();
      }
    }, () => {});
  }

  /** Whether its next part is waited for. */
  get awaited(): boolean {
    return this.#giveUp !== undefined;
  }

  /** Its next part is waited for no longer. */
  giveUp(reason: BadRequest): void {
    this.#giveUp?.(reason);
  }

  #orGivenUp<T>(part: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#giveUp = reject;
      part.then(resolve, reject);
    });
  }
}
