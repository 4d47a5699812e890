import react from "@vitejs/plugin-react";
import { defineConfig, loadEnv } from "vite";

const API = loadEnv("", ".", "AIMASS_").AIMASS_URL ?? "http://127.0.0.1:4566";

// Addresses are relative to <base>, which the function sets: the console lies below a stage of API Gateway on AWS.
export default defineConfig({
  base: "./",
  plugins: [react()],
  build: {
    outDir: "../static",
    // The folder is in the repository; the build script takes away what was built before.
    emptyOutDir: false,
    target: "es2022",
    // What is small stays a file too: the content security policy knows no data: URLs for scripts and styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1200,
  },
  // For `AIMASS_URL=http://127.0.0.1:4566 npx vite` beside a local cloud: the pages are at /console/.
  server: { proxy: { "^/v[12]/": API, "^/v2$": API } },
});
