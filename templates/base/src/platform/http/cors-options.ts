/** What @fastify/cors and cors are told: the settings' origins, and the headers that callers may read. */
export function corsOptions(settings: { CORS_ORIGINS: string[]; CORS_CREDENTIALS: boolean }): {
  origin: string | string[];
  methods: string[];
  exposedHeaders: string;
  credentials: boolean;
  maxAge: number;
  strictPreflight: boolean;
  optionsSuccessStatus: number;
} {
  const { CORS_ORIGINS: origins, CORS_CREDENTIALS: credentials } = settings;
  return {
    origin: origins.includes("*") ? "*" : origins,
    methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    exposedHeaders: "X-Request-ID, X-Correlation-ID",
    credentials,
    maxAge: 600,
    // Its refusal would be text, and no error body of the standard.
    strictPreflight: false,
    optionsSuccessStatus: 204,
  };
}
