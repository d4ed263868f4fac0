// The project's own lint rules, for what oxlint has no rule for. Configured in .oxlintrc.json.
import { dirname, relative, resolve } from "node:path";

/** Calls `check` with every module specifier that a file imports or re-exports from. */
function onImports(check) {
  const visit = (node) => {
    if (node.source) check(node.source);
  };
  return {
    ImportDeclaration: visit,
    ImportExpression: visit,
    ExportNamedDeclaration: visit,
    ExportAllDeclaration: visit,
  };
}

/** "/…/packages/core/src/call/lease.ts" → "call/lease.ts". */
function placeInSource(filename) {
  const path = filename.replaceAll("\\", "/");
  const at = path.lastIndexOf("/src/");
  return at < 0 ? undefined : path.slice(at + "/src/".length);
}

/** Option: { "folder/": ["folder/ or file.ts it must not import", "!file.ts that it may"] }, paths relative to src. */
const importDirection = {
  meta: { type: "problem", schema: [{ type: "object" }] },
  create(context) {
    const place = placeInSource(context.filename);
    if (place === undefined) return {};
    const root = context.filename.slice(0, -place.length);
    const table = context.options[0] ?? {};
    const forbidden = Object.keys(table)
      .filter((from) => place.startsWith(from))
      .flatMap((from) => table[from]);
    return onImports((source) => {
      if (typeof source.value !== "string" || !source.value.startsWith(".")) return;
      const target = relative(root, resolve(dirname(context.filename), source.value)).replaceAll("\\", "/");
      const hit = forbidden.find((entry) => target.startsWith(entry));
      if (hit === undefined || forbidden.includes(`!${target}`)) return;
      context.report({
        node: source,
        message: `${place} must not import ${hit}: imports point one way along the path of a call.`,
      });
    });
  },
};

const noExportAll = {
  meta: { type: "problem", schema: [] },
  create(context) {
    return {
      ExportAllDeclaration(node) {
        context.report({ node, message: "List exports by name; the public surface is written by hand." });
      },
    };
  },
};

const noCurrentDate = {
  meta: { type: "problem", schema: [] },
  create(context) {
    return {
      NewExpression(node) {
        if (node.callee.type === "Identifier" && node.callee.name === "Date" && node.arguments.length === 0) {
          context.report({ node, message: "`new Date()` reads the system clock: ask the given clock." });
        }
      },
    };
  },
};

export default {
  meta: { name: "fairlead" },
  rules: {
    "import-direction": importDirection,
    "no-export-all": noExportAll,
    "no-current-date": noCurrentDate,
  },
};
