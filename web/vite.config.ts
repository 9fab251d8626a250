import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const STATIC = "../src/mien/serve/static";
const COMPRESS_FROM_BYTES = 100_000;
// The highest quality, 11, makes the files an eighth smaller, and the build far slower.
const COMPRESSION = { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 };

/** Leaves big files in Brotli's form only: they are sent so, and the wheel stays small. */
function compressBigFiles(): Plugin {
  return {
    name: "compress-big-files",
    apply: "build",
    closeBundle() {
      const folder = join(import.meta.dirname, STATIC, "assets");
      for (const name of readdirSync(folder)) {
        const file = join(folder, name);
        if (statSync(file).size < COMPRESS_FROM_BYTES) continue;
        const packed = brotliCompressSync(readFileSync(file), { params: COMPRESSION });
        writeFileSync(`${file}.br`, packed);
        rmSync(file);
      }
    },
  };
}

export default defineConfig({
  // ONNX Runtime's WebAssembly stays a file of its own, which its threads load once more.
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser"] },
  build: {
    outDir: STATIC,
    emptyOutDir: true,
    target: "es2022",
    // The content security policy allows no data: scripts, and few styles.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 2000,
    rollupOptions: { input: ["index.html", "docs.html"], checks: { pluginTimings: false } },
  },
  worker: { format: "es" },
  // Found late, in the worker, they would make the development server load the page anew.
  optimizeDeps: { include: ["onnxruntime-web/wasm", "onnxruntime-web/jspi"] },
  plugins: [compressBigFiles()],
  server: { proxy: { "/v1": { target: "http://127.0.0.1:8000", ws: true } } },
});
