import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Addresses are relative to <base>, which the function sets: the console lies below a stage of API Gateway on AWS.
export default defineConfig({
  base: "./",
  plugins: [react()],
  build: {
    outDir: "../static",
    emptyOutDir: true,
    target: "es2022",
    // What is small stays a file too: the content security policy knows no data: URLs for scripts and styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1200,
  },
  // For `npx vite` beside a local cloud: node functions/console/ui ... --port
  server: { proxy: { "/v1": "http://127.0.0.1:4566", "/v2": "http://127.0.0.1:4566" } },
});
