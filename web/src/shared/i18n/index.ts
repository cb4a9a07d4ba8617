/** The catalogue in force; another language is another file of the same type. */
import { en } from "./en.ts";

export type Catalogue = typeof en;

export const text: Catalogue = en;
