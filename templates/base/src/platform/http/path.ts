/** A piece of a path: fixed text, or the name of a parameter. */
export type PathPart = string | { readonly param: string };

const PARAM = /\{([^{}]*)\}/g;
const NAME = /^[A-Za-z_]\w*$/;

/**
 * Takes apart the path of a declared route. Only braces mean something: all else is literal, in every framework. Of two
 * parameters between the same slashes, the first takes as much as it can.
 * @throws {Error} saying what is wrong, for a parameter that is none, such as `{receipt-id}` or FastAPI's `{path:path}`,
 * and for what no request can have.
 */
export function parsePath(path: string): PathPart[] {
  if (!path.startsWith("/")) throw new Error("the path must begin with /");
  if (/[?#]/.test(path)) throw new Error("a path ends before ? and #");
  const names = paramsOf(path);
  const wrong = names.find((name) => !NAME.test(name));
  if (wrong !== undefined) {
    throw new Error(`{${wrong}} is not a parameter; use letters, digits and _, as in {receiptId}`);
  }
  if (new Set(names).size < names.length) throw new Error("a parameter is named twice");
  if (path.includes("}{")) throw new Error("nothing tells where the first of two parameters ends");
  const pieces = path.split(PARAM);
  if (pieces.some((piece, index) => index % 2 === 0 && /[{}]/.test(piece))) {
    throw new Error("a brace without its other half");
  }
  return pieces
    .map((piece, index): PathPart => (index % 2 === 0 ? piece : { param: piece }))
    .filter((part) => part !== "");
}

/**
 * The methods that a path without parameters lacks, and a path with one in the same place takes: with `/receipts/rules`
 * and `/receipts/{id}`, DELETE of the rules is not allowed, and no DELETE of a receipt.
 */
export function shadowedMethods<Method extends string>(
  routes: readonly { method: Method; path: string }[],
): { method: Method; path: string }[] {
  const fixed = new Set(routes.map(({ path }) => path).filter((path) => !path.includes("{")));
  return [...fixed].flatMap((path) => {
    const own = routes.filter((route) => route.path === path).map(({ method }) => method);
    const others = routes.filter((route) => route.path.includes("{") && fits(route.path, path));
    const taken = new Set(others.map(({ method }) => method)).difference(new Set(own));
    return Array.from(taken, (method) => ({ method, path }));
  });
}

function fits(template: string, path: string): boolean {
  const pieces = parsePath(template).map((part) =>
    typeof part === "string" ? RegExp.escape(part) : "[^/]+",
  );
  return new RegExp(`^${pieces.join("")}$`).test(path);
}

/** The names of a path's parameters. */
export function paramsOf(path: string): string[] {
  return Array.from(path.matchAll(PARAM), ([, name]) => name!);
}
