/** How the console looks, kept in this browser. */

import { applyDensity, applyMode, Density, Mode } from "@cloudscape-design/global-styles";
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";

export type Theme = "system" | "light" | "dark";
export type Language = "en" | "zh";

interface Preferences {
  theme: Theme;
  isDark: boolean;
  isCompact: boolean;
  language: Language;
  setTheme: (theme: Theme) => void;
  setCompact: (isCompact: boolean) => void;
  setLanguage: (language: Language) => void;
}

const STORED = "aimass.preferences";
const PreferencesContext = createContext<Preferences | null>(null);

export function usePreferences(): Preferences {
  const preferences = useContext(PreferencesContext);
  if (preferences === null) throw new Error("There are no preferences around this.");
  return preferences;
}

export function readLanguage(): Language {
  return stored().language ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
}

interface Stored {
  theme?: Theme;
  isCompact?: boolean;
  language?: Language;
}

function stored(): Stored {
  try {
    return JSON.parse(localStorage.getItem(STORED) ?? "{}") as Stored;
  } catch {
    return {};
  }
}

export function PreferencesProvider({ children }: { children: ReactNode }) {
  const { i18n } = useTranslation();
  const [theme, setTheme] = useState<Theme>(stored().theme ?? "system");
  const [isCompact, setCompact] = useState(stored().isCompact ?? false);
  const [language, setLanguage] = useState<Language>(readLanguage());
  const [systemIsDark, setSystemIsDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  const isDark = theme === "dark" || (theme === "system" && systemIsDark);

  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const listen = () => setSystemIsDark(query.matches);
    query.addEventListener("change", listen);
    return () => query.removeEventListener("change", listen);
  }, []);
  useEffect(() => applyMode(isDark ? Mode.Dark : Mode.Light), [isDark]);
  useEffect(() => applyDensity(isCompact ? Density.Compact : Density.Comfortable), [isCompact]);
  useEffect(() => {
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
    void i18n.changeLanguage(language);
  }, [language, i18n]);
  useEffect(() => {
    localStorage.setItem(STORED, JSON.stringify({ theme, isCompact, language }));
  }, [theme, isCompact, language]);

  const preferences = useMemo(
    () => ({ theme, isDark, isCompact, language, setTheme, setCompact, setLanguage }),
    [theme, isDark, isCompact, language],
  );
  return <PreferencesContext.Provider value={preferences}>{children}</PreferencesContext.Provider>;
}
