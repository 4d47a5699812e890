/** An area of the console: a part of the menu, and its pages. Each lies in a folder of its own below pages/. */

import type { RouteObject } from "react-router";

import type { Role } from "./session";

export interface MenuItem {
  /** Key of the text in the area's file of locales/. */
  text: string;
  /** From the console's root on, such as `/training/jobs`. */
  href: string;
  /** Left out of the menu for those who may not. */
  role?: Role;
}

export interface Area {
  /** Also the namespace of its texts: locales/<language>/<name>.json. */
  name: string;
  menu: MenuItem[];
  routes: RouteObject[];
}
