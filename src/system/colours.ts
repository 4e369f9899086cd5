import { Chalk, supportsColor } from "chalk";

/** The basic colours, which every terminal's theme keeps readable; none where nobody wants them. */
export const colours = new Chalk({ level: supportsColor && !process.env["NO_COLOR"] ? 1 : 0 });
