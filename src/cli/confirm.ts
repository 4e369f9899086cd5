import { UserError } from "../errors.ts";
import type { Host } from "./host.ts";

/** Asks the last question, and ends the run when the answer is no. */
export async function confirmWriting(host: Host, message = "Write it?"): Promise<void> {
  const prompter = await host.prompter();
  if (!(await prompter.confirm({ message, default: true }))) {
    throw new UserError("INTERRUPTED", "stopped; nothing was written");
  }
}
