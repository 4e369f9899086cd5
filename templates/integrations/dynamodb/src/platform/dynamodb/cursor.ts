export { openCursor, sealCursor } from "../pages.ts";
