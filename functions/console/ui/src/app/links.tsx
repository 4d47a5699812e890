/** Links inside the console: real addresses, for a new tab too, followed without loading the page anew. */

import Button, { type ButtonProps } from "@cloudscape-design/components/button";
import CloudscapeLink, { type LinkProps } from "@cloudscape-design/components/link";
import { useCallback } from "react";
import { useNavigate } from "react-router";

/** Where the console lies, without a slash at the end. */
export const BASE_PATH = new URL(document.baseURI).pathname.replace(/\/$/, "");

/** `/training/jobs` as an address of this site. */
export function hrefOf(path: string): string {
  return BASE_PATH + path;
}

/** The other way round. */
export function pathOf(href: string): string {
  return href.startsWith(BASE_PATH) ? href.slice(BASE_PATH.length) || "/" : href;
}

export function useGo(): (path: string) => void {
  const navigate = useNavigate();
  return useCallback((path: string) => void navigate(path), [navigate]);
}

/** `to` is from the console's root on. */
export function Link({ to, ...props }: Omit<LinkProps, "href" | "onFollow"> & { to: string }) {
  const go = useGo();
  return (
    <CloudscapeLink
      {...props}
      href={hrefOf(to)}
      onFollow={(event) => {
        event.preventDefault();
        go(to);
      }}
    />
  );
}

/** A link that looks like a button. */
export function LinkButton({ to, ...props }: Omit<ButtonProps, "href" | "onFollow"> & { to: string }) {
  const go = useGo();
  return (
    <Button
      {...props}
      href={hrefOf(to)}
      onFollow={(event) => {
        event.preventDefault();
        go(to);
      }}
    />
  );
}
