/** An editor of SQL that knows the tables.
 *
 * It lies in a shadow root: there CodeMirror brings its styles as constructed sheets, which the content security policy
 * lets in, and not as a <style> element, which it refuses.
 */

import { sql, StandardSQL } from "@codemirror/lang-sql";
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { Compartment, EditorState, Prec } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { basicSetup } from "codemirror";
import { useEffect, useRef } from "react";

import { usePreferences } from "../../../app/preferences";

interface Props {
  value: string;
  onChange: (value: string) => void;
  onRun: () => void;
  label: string;
  /** Columns by table. */
  tables: Record<string, string[]>;
}

export function SqlEditor({ value, onChange, onRun, label, tables }: Props) {
  const { isDark } = usePreferences();
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  const language = useRef(new Compartment());
  const theme = useRef(new Compartment());
  const called = useRef({ onChange, onRun });
  called.current = { onChange, onRun };

  useEffect(() => {
    const host = place.current;
    if (host === null) return;
    const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    const made = new EditorView({
      parent: root as unknown as Element,
      root,
      state: EditorState.create({
        doc: value,
        extensions: [
          Prec.highest(keymap.of([{ key: "Mod-Enter", run: () => (called.current.onRun(), true) }])),
          basicSetup,
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": label }),
          EditorView.updateListener.of((update) => update.docChanged && called.current.onChange(update.state.doc.toString())),
          language.current.of(languageOf(tables)),
          theme.current.of(themeOf(isDark)),
        ],
      }),
    });
    view.current = made;
    return () => {
      made.destroy();
      view.current = null;
    };
    // What changes later is dispatched below.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [label]);

  useEffect(() => {
    const shown = view.current;
    if (shown !== null && shown.state.doc.toString() !== value) {
      shown.dispatch({ changes: { from: 0, to: shown.state.doc.length, insert: value } });
    }
  }, [value]);
  useEffect(() => view.current?.dispatch({ effects: language.current.reconfigure(languageOf(tables)) }), [tables]);
  useEffect(() => view.current?.dispatch({ effects: theme.current.reconfigure(themeOf(isDark)) }), [isDark]);

  return <div ref={place} className="sql-editor" />;
}

function languageOf(tables: Record<string, string[]>) {
  return sql({ dialect: StandardSQL, schema: tables, upperCaseKeywords: true });
}

function themeOf(isDark: boolean) {
  const colours = isDark
    ? { keyword: "#7fb2ff", text: "#8fd694", number: "#ffb86b", comment: "#9aa7b5", line: "#ffffff10", selected: "#3a5a8c" }
    : { keyword: "#0b4fa8", text: "#1a6b2d", number: "#8a4b00", comment: "#5a6570", line: "#0000000a", selected: "#b7d2f5" };
  return [
    EditorView.theme(
      {
        "&": { fontSize: "14px", backgroundColor: "transparent", color: "inherit", minHeight: "8em", maxHeight: "40vh" },
        "&.cm-focused": { outline: "2px solid currentColor", outlineOffset: "2px" },
        ".cm-scroller": { fontFamily: "ui-monospace, monospace", minHeight: "8em", overflow: "auto" },
        ".cm-gutters": { backgroundColor: "transparent", color: colours.comment, border: "none" },
        ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: colours.line },
        ".cm-cursor": { borderLeftColor: "currentColor" },
        "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: `${colours.selected} !important` },
      },
      { dark: isDark },
    ),
    syntaxHighlighting(
      HighlightStyle.define([
        { tag: tags.keyword, color: colours.keyword, fontWeight: "600" },
        { tag: [tags.string, tags.special(tags.string)], color: colours.text },
        { tag: [tags.number, tags.bool, tags.null], color: colours.number },
        { tag: tags.comment, color: colours.comment },
      ]),
    ),
  ];
}
