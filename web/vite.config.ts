import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const STATIC = "../src/mien/serve/static";
const COMPRESS_FROM_BYTES = 100_000;

/** Leaves big files in gzip's form only: they are sent so, and the wheel stays small. */
function compressBigFiles(): Plugin {
  return {
    name: "compress-big-files",
    apply: "build",
    closeBundle() {
      const folder = join(import.meta.dirname, STATIC, "assets");
      for (const name of readdirSync(folder)) {
        const file = join(folder, name);
        if (statSync(file).size < COMPRESS_FROM_BYTES) continue;
        writeFileSync(`${file}.gz`, gzipSync(readFileSync(file), { level: 9 }));
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
  plugins: [compressBigFiles()],
  server: { proxy: { "/v1": { target: "http://127.0.0.1:8000", ws: true } } },
});
