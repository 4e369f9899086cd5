// fs-extra copies all that node:fs has. Behind its getters Node loads its promises and streams, which we never use, for
// a seventh of the time that Node takes to start.
const fs = require("node:fs");

const plain = Object.entries(Object.getOwnPropertyDescriptors(fs)).filter(([, { get }]) => !get);
module.exports = Object.defineProperties({}, Object.fromEntries(plain));
