// Writes Discord's HTTP API as one JSON document: each operation's path and the schema of its body, and all error codes.
//
// discord-api-spec holds the schemas as Zod's and the operations as TypeScript's types; both come from Discord's own
// OpenAPI document, which lists no error codes: discord-api-types has those of Discord's pages.
import { readFileSync } from "node:fs";
import * as schemas from "discord-api-spec/zod";
import { RESTJSONErrorCodes } from "discord-api-types/v10";
import * as z from "zod/mini";

const SUFFIX = "Schema";
const reference = (name) => ({ $ref: `#/components/schemas/${name}` });

// What Discord's document says and Zod has no word for: lists without repetition, 34 locales, and that every number which
// a bot sends is whole but for those of these schemas.
const SETS = new Set(["access_tokens", "channel_types", "contexts", "integration_types", "parse", "roles", "users"]);
const LOCALES = 34;
const WITH_FRACTIONS = new Set([
  "ApplicationCommandNumberOption", "ApplicationCommandOptionNumberChoice", "MessageAttachmentRequest",
]);
// A key that no schema names is refused, but for these, which discord.py sends along with what it is given.
const FROM_DISCORD_PY = {
  ApplicationCommandUpdateRequest: "nsfw",
  IncomingWebhookUpdateRequestPartial: "tts",
  MessageEditRequestPartial: "tts",
  RichEmbed: "flags",
};

function tightened(name, { $id, $schema, ...schema }) {
  if (name in FROM_DISCORD_PY) schema.properties[FROM_DISCORD_PY[name]] = true;
  const text = JSON.stringify(schema, (key, value) => {
    if (SETS.has(key)) return { ...value, uniqueItems: true };
    if (key.endsWith("_localizations")) return { ...value, maxProperties: LOCALES };
    return value === "number" && !WITH_FRACTIONS.has(name) ? "integer" : value;
  });
  return JSON.parse(text);
}

function allSchemas() {
  const registry = z.registry();
  for (const [name, schema] of Object.entries(schemas))
    if (name.endsWith(SUFFIX)) registry.add(schema, { id: name.slice(0, -SUFFIX.length) });
  const options = {
    unrepresentable: "any",
    uri: (id) => reference(id).$ref,
    // No JSON is undefined, so this choice of a union is none.
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === "undefined") jsonSchema.not = {};
    },
  };
  const made = Object.entries(z.toJSONSchema(registry, options).schemas);
  return Object.fromEntries(made.map(([name, schema]) => [name, tightened(name, schema)]));
}

// A type such as `First | Second[] | null`; null for one that is written out in place, which nobody can look up.
function bodySchema(type, known) {
  const parts = type.split("|").map((part) => part.trim()).filter(Boolean);
  const made = parts.map((part) => {
    const name = part.replace(/\[\]$/, "");
    if (part === "null") return { type: "null" };
    if (!(name in known)) return null;
    return part === name ? reference(name) : { type: "array", items: reference(name) };
  });
  return made.includes(null) ? null : { anyOf: made };
}

function allPaths(known) {
  const file = new URL(import.meta.resolve("discord-api-spec").replace(/\.js$/, ".ts"));
  const [block] = readFileSync(file, "utf8").match(/export interface Paths \{[\s\S]*?\n\}\n/);
  const paths = {};
  for (const [, path, operations] of block.matchAll(/\n  "([^"]+)": \{\n([\s\S]*?)\n  \};/g)) {
    paths[path] = {};
    for (const [, method, operation] of operations.matchAll(/(?:^|\n)    (\w+): \{\n([\s\S]*?)\n    \};/g)) {
      const [, type] = operation.match(/requestBody\??:([\s\S]*?);\n      responses/);
      paths[path][method] = type.trim() === "undefined" ? {} : { body: bodySchema(type, known) };
    }
  }
  return paths;
}

const components = { schemas: allSchemas() };
const errors = Object.fromEntries(Object.entries(RESTJSONErrorCodes).filter(([, code]) => typeof code === "number"));
process.stdout.write(JSON.stringify({ paths: allPaths(components.schemas), components, errors }));
