// Writes a Kit client of an Anchor IDL: generate.mjs IDL FOLDER
import { readFileSync } from "node:fs";
import { rootNodeFromAnchor } from "@codama/nodes-from-anchor";
import { renderVisitor } from "@codama/renderers-js";
import { createFromRoot } from "codama";

const [idl, folder] = process.argv.slice(2);
const root = rootNodeFromAnchor(JSON.parse(readFileSync(idl, "utf8")));
await createFromRoot(root).accept(renderVisitor(folder, { formatCode: false, syncPackageJson: false }));
