// Stands in for human-signals: execa puts its words into messages that we never show.
const nameless = { description: "a signal" };
export const signalsByName = new Proxy({}, { get: () => nameless });
