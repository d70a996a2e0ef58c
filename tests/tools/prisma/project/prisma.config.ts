import { PrismaPg } from "@prisma/adapter-pg";
import { defineConfig } from "prisma/config";

export default defineConfig({
  experimental: { adapter: true },
  // In JavaScript: the engine in Rust is fetched from elsewhere than the package registry.
  engine: "js",
  adapter: async () => new PrismaPg({ connectionString: process.env.DATABASE_URL }),
  schema: "prisma/schema.prisma",
  migrations: { path: "prisma/migrations" },
});
