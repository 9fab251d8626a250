// ONNX Runtime in the page: WebGPU where the browser has what it takes, else WebAssembly.

import type { InferenceSession, Tensor } from "onnxruntime-web/wasm";
import gpuModule from "onnxruntime-web/ort-wasm-simd-threaded.jspi.mjs?url";
import gpuBinary from "onnxruntime-web/ort-wasm-simd-threaded.jspi.wasm?url";
import cpuModule from "onnxruntime-web/ort-wasm-simd-threaded.mjs?url";
import cpuBinary from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";

export type Backend = "wasm" | "webgpu";

/** A loaded ONNX Runtime. */
export interface Runtime {
  readonly backend: Backend;
  readonly description: string;
  /** The files that it is made of. */
  readonly files: readonly string[];
  /** Opens a network; a small one is faster on the processor, wherever the others run. */
  open(model: Uint8Array, isSmall?: boolean): Promise<InferenceSession>;
  tensor(data: Float32Array, dimensions: number[]): Tensor;
}

const MOST_THREADS = 4;

/** As many threads as are good here: half of the cores, where the page may share memory. */
export function mostThreads(): number {
  if (!self.crossOriginIsolated) return 1;
  return Math.min(Math.max(Math.floor(navigator.hardwareConcurrency / 2), 1), MOST_THREADS);
}

/** Loads ONNX Runtime for a backend. */
export async function loadRuntime(backend: Backend, threads: number): Promise<Runtime> {
  const gpu = backend === "webgpu";
  const ort = await (gpu ? import("onnxruntime-web/jspi") : import("onnxruntime-web/wasm"));
  const paths = absolute(
    gpu ? { mjs: gpuModule, wasm: gpuBinary } : { mjs: cpuModule, wasm: cpuBinary },
  );
  ort.env.wasm.wasmPaths = paths;
  ort.env.wasm.numThreads = threads;
  return {
    backend,
    description: gpu ? "WebGPU" : `WebAssembly, ${threads} thread${threads > 1 ? "s" : ""}`,
    files: Object.values(paths),
    open: (model, isSmall = false) =>
      ort.InferenceSession.create(model, { executionProviders: [isSmall ? "wasm" : backend] }),
    tensor: (data, dimensions) => new ort.Tensor("float32", data, dimensions),
  };
}

/**
 * Whether the browser has WebGPU on a real graphics card, and lets WebAssembly wait for it.
 *
 * For browsers that cannot wait there is another build, of one and a half times the size.
 */
export async function hasGpu(): Promise<boolean> {
  if (!("Suspending" in WebAssembly)) return false;
  const gpu = (navigator as { gpu?: { requestAdapter(): Promise<Adapter | null> } }).gpu;
  const adapter = await gpu?.requestAdapter().catch(() => null);
  return adapter != null && !adapter.info?.isFallbackAdapter;
}

interface Adapter {
  readonly info?: { readonly isFallbackAdapter?: boolean };
}

function absolute(paths: { mjs: string; wasm: string }): { mjs: string; wasm: string } {
  return {
    mjs: new URL(paths.mjs, location.href).href,
    wasm: new URL(paths.wasm, location.href).href,
  };
}
