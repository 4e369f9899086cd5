export { errorText } from "../errors.ts";
