/**
 * What a plugin finds in a sandbox by its name. What isn't named here is taken away, so that what a new Deno adds stays
 * out until somebody has judged it: whatever stores, computes elsewhere, asks, or reaches the process.
 */
const names = (list: string): ReadonlySet<string> => new Set(list.trim().split(/\s+/));

/** The language's own, and what only computes or is bounded by the permissions. */
export const ALLOWED_GLOBALS = names(`
  Object Function Array Number parseFloat parseInt Infinity NaN undefined Boolean String Symbol Date Promise RegExp
  Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError URIError SuppressedError globalThis
  JSON Math Intl Temporal ArrayBuffer SharedArrayBuffer Atomics Uint8Array Int8Array Uint16Array Int16Array Uint32Array
  Int32Array BigUint64Array BigInt64Array Uint8ClampedArray Float16Array Float32Array Float64Array DataView Map BigInt
  Set Iterator WeakMap WeakSet WeakRef Proxy Reflect FinalizationRegistry DisposableStack AsyncDisposableStack decodeURI
  decodeURIComponent encodeURI encodeURIComponent escape unescape eval isFinite isNaN WebAssembly
  console Deno queueMicrotask setImmediate clearImmediate setInterval clearInterval setTimeout clearTimeout
  structuredClone atob btoa reportError performance crypto navigator location process global Buffer
  AbortController AbortSignal Blob File FileReader FormData ByteLengthQueuingStrategy CountQueuingStrategy CloseEvent
  CompressionStream DecompressionStream CryptoKey Crypto SubtleCrypto CustomEvent DOMException QuotaExceededError
  DOMMatrix DOMMatrixReadOnly DOMPoint DOMPointReadOnly DOMQuad DOMRect DOMRectReadOnly ErrorEvent Event EventTarget
  Headers Request Response MessageEvent MessageChannel MessagePort Performance PerformanceEntry PerformanceMark
  PerformanceMeasure PerformanceObserver PerformanceObserverEntryList PromiseRejectionEvent ProgressEvent ReadableStream
  ReadableStreamDefaultReader ReadableByteStreamController ReadableStreamBYOBReader ReadableStreamBYOBRequest
  ReadableStreamDefaultController WritableStream WritableStreamDefaultWriter WritableStreamDefaultController
  TransformStream TransformStreamDefaultController TextDecoder TextEncoder TextDecoderStream TextEncoderStream URL
  URLPattern URLSearchParams WebSocket EventSource fetch
  self name close postMessage onmessage onmessageerror onerror onunhandledrejection WorkerLocation WorkerGlobalScope
  DedicatedWorkerGlobalScope
`);

/** Judged, and taken away. The list is the test's: what is in neither fails it. */
export const DENIED_GLOBALS = names(`
  WebSocketStream WebSocketError WebTransport WebTransportBidirectionalStream WebTransportDatagramDuplexStream
  WebTransportReceiveStream WebTransportSendGroup WebTransportSendStream WebTransportError
  BroadcastChannel Worker SharedWorker importScripts nodeBootstrap WorkerNavigator Navigator NavigatorUAData
  caches CacheStorage Cache localStorage sessionStorage indexedDB Storage Lock LockManager
  createImageBitmap ImageData ImageBitmap ImageBitmapRenderingContext OffscreenCanvas
  GPU GPUAdapter GPUAdapterInfo GPUBuffer GPUBufferUsage GPUCanvasContext GPUColorWrite GPUCommandBuffer
  GPUCommandEncoder GPUCompilationInfo GPUCompilationMessage GPUComputePassEncoder GPUComputePipeline GPUDevice
  GPUDeviceLostInfo GPUError GPUBindGroup GPUBindGroupLayout GPUInternalError GPUPipelineError GPUUncapturedErrorEvent
  GPUPipelineLayout GPUQueue GPUQuerySet GPUMapMode GPUOutOfMemoryError GPURenderBundle GPURenderBundleEncoder
  GPURenderPassEncoder GPURenderPipeline GPUSampler GPUShaderModule GPUShaderStage GPUSupportedFeatures
  GPUSupportedLimits GPUTexture GPUTextureView GPUTextureUsage GPUValidationError
`);

/** Of `Deno`: files, network and environment, which the permissions bound, and what only computes. */
export const ALLOWED_DENO = names(`
  errors inspect version build env exit cwd memoryUsage pid permissions SeekMode FsFile refTimer unrefTimer
  open openSync create createSync readFile readFileSync readTextFile readTextFileSync writeFile writeFileSync
  writeTextFile writeTextFileSync watchFs chmod chmodSync chown chownSync copyFile copyFileSync makeTempDir
  makeTempDirSync makeTempFile makeTempFileSync mkdir mkdirSync readDir readDirSync readLink readLinkSync realPath
  realPathSync remove removeSync rename renameSync stat statSync lstat lstatSync truncate truncateSync symlink
  symlinkSync link linkSync utime utimeSync
  connect connectTls startTls listen listenTls listenDatagram serve resolveDns upgradeWebSocket HttpClient
  createHttpClient
`);

/** Judged, and taken away: other programs, native code, signals, the system, the terminal, Deno's own tools. */
export const DENIED_DENO = names(`
  internal test bench lint jupyter Process run isatty cpuUsage chdir execPath stdin stdout stderr loadavg Permissions
  PermissionStatus serveHttp kill addSignalListener removeSignalListener osRelease osUptime hostname systemMemoryInfo
  networkInterfaces consoleSize gid uid Command ChildProcess spawn spawnAndWait spawnAndWaitSync dlopen UnsafeCallback
  UnsafePointer UnsafePointerView UnsafeFnPointer umask telemetry ppid noColor args exitCode mainModule bundle cron
  openKv Kv KvListIterator KvU64 AtomicOperation QuicBiStream QuicBidirectionalStream QuicConn QuicEndpoint QuicIncoming QuicListener
  QuicReceiveStream QuicSendStream connectQuic upgradeWebTransport UnsafeWindowSurface createHttpClientSync
  dlopenSync webgpu
`);

/** Of `navigator`, as plain values: its `gpu` computes elsewhere, its `locks` are shared with others. */
export const ALLOWED_NAVIGATOR = names(`hardwareConcurrency userAgent language languages platform`);
export const DENIED_NAVIGATOR = names(`gpu locks userAgentData storage constructor`);

/** Takes away what isn't allowed, and freezes what leads to the system. */
export function keepAllowedGlobals(): void {
  const { permissions } = Deno;
  const query = {
    query: permissions.query.bind(permissions),
    querySync: permissions.querySync.bind(permissions),
  };
  const deno = pick(Deno, ALLOWED_DENO);
  // Without `request`, which asks whoever sits at the terminal.
  Object.defineProperty(deno, "permissions", { value: Object.freeze(query), enumerable: true });
  const shown = Object.fromEntries([...ALLOWED_NAVIGATOR].map((name) => [name, Reflect.get(navigator, name)]));
  fix("Deno", Object.freeze(deno));
  fix("navigator", Object.freeze(shown));
  for (
    let scope: object | null = globalThis;
    scope && scope !== Object.prototype;
    scope = Object.getPrototypeOf(scope)
  ) {
    for (const name of Object.getOwnPropertyNames(scope)) {
      // On its prototypes stand the methods of events alone, which are the scope's own business.
      if (scope === globalThis && !ALLOWED_GLOBALS.has(name) && !name.startsWith("__weft")) fix(name, undefined);
    }
  }
  // Names that come with a flag of Deno's, or aren't listed until they are used.
  for (const name of DENIED_GLOBALS) fix(name, undefined);
}

function pick(from: object, allowed: ReadonlySet<string>): object {
  const to = {};
  for (const name of allowed) {
    const property = Object.getOwnPropertyDescriptor(from, name);
    if (property) Object.defineProperty(to, name, property);
  }
  return to;
}

function fix(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, writable: false, configurable: false, enumerable: false });
}
