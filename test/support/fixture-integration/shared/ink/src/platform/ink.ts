export const ink = "blue";
