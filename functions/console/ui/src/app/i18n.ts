/** Texts: a file for each language and area, of which the other language's is loaded when it is chosen. */

import i18next from "i18next";
import { initReactI18next } from "react-i18next";

import { readLanguage } from "./preferences";

const FILES = import.meta.glob<{ default: object }>("../locales/*/*.json");

export async function startI18n(): Promise<void> {
  await i18next
    .use(initReactI18next)
    .use({
      type: "backend",
      init: () => undefined,
      read: (language: string, name: string, done: (error: unknown, texts: object | null) => void) => {
        const load = FILES[`../locales/${language}/${name}.json`];
        if (load === undefined) done(null, {});
        else load().then((file) => done(null, file.default), (error: unknown) => done(error, null));
      },
    })
    .init({
      lng: readLanguage(),
      fallbackLng: "en",
      supportedLngs: ["en", "zh"],
      ns: ["common", "overview", "collection", "training", "models", "inference", "management"],
      defaultNS: "common",
      // React escapes.
      interpolation: { escapeValue: false },
    });
}
