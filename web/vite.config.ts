import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { defineConfig, type Plugin } from "vite";
import { tellServiceWorker } from "./kept_files.ts";

const STATIC = join(import.meta.dirname, "../src/mien/serve/static");
const MODEL_CARD = join(import.meta.dirname, "../docs/model-card.md");
const PACKAGES = join(import.meta.dirname, "node_modules");
// Of packages that bring no file of it.
const OWN_LICENSES = join(import.meta.dirname, "licenses");
const LICENSE_FILES = /^(licen[cs]e|notice)|^swagger-ui-es-bundle\.js\.license/i;
const COMPRESS_FROM_BYTES = 100_000;
// The highest quality, 11, makes the files an eighth smaller, and the build far slower.
const COMPRESSION = { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 };
const IS_COMPRESSED = /\.(mp4|jpg|png)$/;

/** Adds the model card, and tells the service worker which files there are. */
function listFiles(): Plugin {
  return {
    name: "list-files",
    apply: "build",
    closeBundle() {
      if (!existsSync(join(STATIC, "service_worker.js"))) return;
      copyFileSync(MODEL_CARD, join(STATIC, "model-card.txt"));
      tellServiceWorker(STATIC);
    },
  };
}

/** Writes the licences of the packages that the built page holds. */
function writeLicenses(): Plugin {
  return {
    name: "write-licenses",
    apply: "build",
    generateBundle() {
      const read = (...names: string[]) => readFileSync(join(...names), "utf8");
      const { dependencies } = JSON.parse(read(import.meta.dirname, "package.json"));
      const parts = Object.keys(dependencies).map((name) => {
        const { version, license } = JSON.parse(read(PACKAGES, name, "package.json"));
        const files = readdirSync(join(PACKAGES, name)).filter((file) => LICENSE_FILES.test(file));
        const texts = files.map((file) => read(PACKAGES, name, file));
        if (!texts.length) texts.push(read(OWN_LICENSES, `${name}.txt`));
        const title = `${name} ${version} (${license}), https://www.npmjs.com/package/${name}`;
        return [title, ...texts].join("\n\n");
      });
      const source = parts.join(`\n\n${"=".repeat(72)}\n\n`);
      this.emitFile({ type: "asset", fileName: "licenses.txt", source });
    },
  };
}

/** Leaves big files in Brotli's form only: they are sent so, and the wheel stays small. */
function compressBigFiles(): Plugin {
  return {
    name: "compress-big-files",
    apply: "build",
    closeBundle: {
      order: "post",
      handler() {
        const folder = join(STATIC, "assets");
        for (const name of readdirSync(folder)) {
          const file = join(folder, name);
          if (statSync(file).size < COMPRESS_FROM_BYTES || IS_COMPRESSED.test(name)) continue;
          const packed = brotliCompressSync(readFileSync(file), { params: COMPRESSION });
          writeFileSync(`${file}.br`, packed);
          rmSync(file);
        }
      },
    },
  };
}

export default defineConfig({
  // The page lies in a folder of any name, where it is exported as plain files.
  base: "./",
  // ONNX Runtime's WebAssembly stays a file of its own, which its threads load once more.
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser"] },
  build: {
    outDir: STATIC,
    emptyOutDir: true,
    target: "es2022",
    // The content security policy allows no data: scripts, and few styles.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 2000,
    rollupOptions: {
      input: ["index.html", "docs.html", "src/service_worker.ts"],
      output: {
        entryFileNames: ({ name }) =>
          name === "service_worker" ? "service_worker.js" : "assets/[name]-[hash].js",
      },
      checks: { pluginTimings: false },
    },
  },
  worker: { format: "es" },
  // Found late, in the worker, they would make the development server load the page anew.
  optimizeDeps: { include: ["onnxruntime-web/wasm", "onnxruntime-web/jspi"] },
  plugins: [writeLicenses(), listFiles(), compressBigFiles()],
  server: {
    fs: { allow: [".."] },
    proxy: { "/v1": { target: "http://127.0.0.1:8000", ws: true } },
  },
});
