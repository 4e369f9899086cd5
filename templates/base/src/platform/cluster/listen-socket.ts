import { BoundSocket } from "node:net";
import { describeBindError, StartError } from "./start-error.ts";

/** The number of the inherited socket in a worker: 0 to 2 are stdio, 3 is the channel to the primary. */
export const LISTEN_FD = 4;

/** Windows hands no sockets to children: there is one worker there, and it binds the port itself. */
export const canInherit = process.platform !== "win32";

/**
 * Binds the port for all workers, as Gunicorn's arbiter does. The primary never accepts from it; holding it, it
 * keeps connections in the kernel's queue while no worker is there to take them.
 * @throws {StartError} when the port cannot be had.
 */
export function bindForWorkers(host: string, port: number): BoundSocket {
  const socket = bind(host, port, "PORT");
  if (!canInherit) socket.close();
  return socket;
}

/**
 * Takes a port, without accepting from it yet.
 * @param variable - the setting that chose it.
 * @throws {StartError} when the port cannot be had.
 */
export function bind(host: string, port: number, variable: string): BoundSocket {
  try {
    return new BoundSocket({ host, port });
  } catch (error) {
    throw new StartError([describeBindError(variable, port, error)]);
  }
}
