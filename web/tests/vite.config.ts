// Builds the page that tests/web/test_parity.py drives.

import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser"] },
  build: {
    target: "es2022",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    rollupOptions: { input: ["tests/parity.html"], checks: { pluginTimings: false } },
  },
});
