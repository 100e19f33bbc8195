"""What the crates say in public, out of rustdoc's JSON.

    ci/api           holds the listings in tests/api against the code, and that all that the public
                     signatures of the runtime crates name can be named through them
    ci/api --bless   writes the listings anew

A listing has a line for each item: its kind, its public path, and what its declaration says.
"""

import json
import pathlib
import sys

CRATES = ["hat_core", "hat_aio", "hat_tokio", "hat_smol", "hat_compio", "hat_server"]
RUNTIMES = ["hat_tokio", "hat_smol", "hat_compio"]
# every program has these
STANDARD = {"std", "core", "alloc"}
# What cannot be named through them and still is named: where, and why it is let pass.
KNOWN = {
    "hat_aio::cotp::raw::RawServer": "has a name by an alias of each runtime",
    "serde_core::de::Deserialize": "who has types of their own to read has serde",
    "serde_core::de::DeserializeOwned": "the same",
    "serde_core::ser::Serialize": "the same, to write",
    "serde_json::value::Value": "`Payload::json` takes it without its name",
}


class Crate:
    """The JSON of one crate, and where its items are defined."""

    def __init__(self, folder, name):
        data = json.loads((folder / f"{name}.json").read_text())
        self.name, self.index, self.paths = name, data["index"], data["paths"]
        self.root = str(data["root"])
        self.ids = {tuple(p["path"]): id for id, p in self.paths.items() if p["crate_id"] == 0}

    def path(self, id):
        """Where an item is defined, in whichever crate."""
        found = self.paths.get(str(id))
        return tuple(found["path"]) if found else None


def kind_of(item):
    return next(iter(item["inner"]))


def inner_of(item):
    return next(iter(item["inner"].values()))


# ---- declarations as text


def text_of_path(path):
    name = path["path"].rsplit("::", 1)[-1]
    args = path.get("args")
    if not args:
        return name
    if "angle_bracketed" in args:
        inner = args["angle_bracketed"]
        parts = [text_of_arg(arg) for arg in inner["args"]]
        parts += [text_of_constraint(one) for one in inner["constraints"]]
        return f"{name}<{', '.join(parts)}>" if parts else name
    if "parenthesized" in args:
        inner = args["parenthesized"]
        inputs = ", ".join(map(text_of_type, inner["inputs"]))
        output = f" -> {text_of_type(inner['output'])}" if inner["output"] else ""
        return f"{name}({inputs}){output}"
    return name


def text_of_arg(arg):
    if arg == "infer":
        return "_"
    ((kind, value),) = arg.items()
    return {"lifetime": str, "type": text_of_type, "const": lambda c: c["expr"]}[kind](value)


def text_of_constraint(one):
    ((kind, value),) = one["binding"].items()
    if kind == "equality":
        ((of, term),) = value.items()
        return f"{one['name']} = {text_of_type(term) if of == 'type' else term['expr']}"
    return f"{one['name']}: {text_of_bounds(value)}"


def text_of_bounds(bounds):
    texts = []
    for bound in bounds:
        ((kind, value),) = bound.items()
        if kind == "trait_bound":
            maybe = "?" if value["modifier"] == "maybe" else ""
            texts.append(maybe + text_of_path(value["trait"]))
        elif kind == "outlives":
            texts.append(value)
    return " + ".join(texts)


def text_of_type(type):
    if type is None:
        return "()"
    if type == "infer":
        return "_"
    ((kind, value),) = type.items()
    match kind:
        case "resolved_path":
            return text_of_path(value)
        case "generic" | "primitive":
            return value
        case "tuple":
            return f"({', '.join(map(text_of_type, value))})"
        case "slice":
            return f"[{text_of_type(value)}]"
        case "array":
            return f"[{text_of_type(value['type'])}; {value['len']}]"
        case "impl_trait":
            return f"impl {text_of_bounds(value)}"
        case "borrowed_ref":
            life = f"{value['lifetime']} " if value["lifetime"] else ""
            mut = "mut " if value["is_mutable"] else ""
            return f"&{life}{mut}{text_of_type(value['type'])}"
        case "dyn_trait":
            parts = [text_of_path(one["trait"]) for one in value["traits"]]
            return f"dyn {' + '.join(parts + ([value['lifetime']] if value['lifetime'] else []))}"
        case "qualified_path":
            trait = text_of_path(value["trait"]) if value["trait"] else ""
            of = text_of_type(value["self_type"])
            return f"<{of} as {trait}>::{value['name']}" if trait else f"{of}::{value['name']}"
        case "function_pointer":
            return f"fn{text_of_signature(value['sig'])}"
    return kind


def text_of_signature(sig):
    inputs = ", ".join(f"{name}: {text_of_type(type)}" for name, type in sig["inputs"])
    output = f" -> {text_of_type(sig['output'])}" if sig["output"] else ""
    return f"({inputs}){output}"


def text_of_generics(generics):
    params = []
    for param in generics["params"]:
        ((kind, value),) = param["kind"].items()
        if kind == "type" and value["is_synthetic"]:
            continue
        bounds = text_of_bounds(value["bounds"]) if kind == "type" else ""
        params.append(f"{param['name']}: {bounds}" if bounds else param["name"])
    where = []
    for predicate in generics["where_predicates"]:
        ((kind, value),) = predicate.items()
        if kind == "bound_predicate":
            where.append(f"{text_of_type(value['type'])}: {text_of_bounds(value['bounds'])}")
    text = f"<{', '.join(params)}>" if params else ""
    return text, (f" where {', '.join(where)}" if where else "")


def declaration(item):
    """What stands behind the name of an item."""
    inner = inner_of(item)
    match kind_of(item):
        case "function":
            params, where = text_of_generics(inner["generics"])
            header = inner["header"]
            words = "".join(f"{word} " for word in ["const", "async"] if header[f"is_{word}"])
            return f"{params}{text_of_signature(inner['sig'])}{where}", words
        case "struct_field":
            return f": {text_of_type(inner)}", ""
        case "constant":
            return f": {text_of_type(inner['type'])}", ""
        case "assoc_const":
            return f": {text_of_type(inner['type'])}", ""
        case "type_alias":
            return f"{text_of_generics(inner['generics'])[0]} = {text_of_type(inner['type'])}", ""
        case "struct" | "enum" | "union":
            params, where = text_of_generics(inner["generics"])
            return params + where, ""
        case "trait":
            params, where = text_of_generics(inner["generics"])
            bounds = text_of_bounds(inner["bounds"])
            return f"{params}{': ' if bounds else ''}{bounds}{where}", ""
        case "assoc_type":
            bounds = text_of_bounds(inner["bounds"])
            return f": {bounds}" if bounds else "", ""
    return "", ""


# ---- what belongs to an item, and what it names


def members(crate, item):
    """The public parts of a type or trait: items, and the traits that it has."""
    inner, kind = inner_of(item), kind_of(item)
    ids, traits = [], set()
    if kind in ("struct", "union"):
        form = inner["kind"] if kind == "struct" else {"plain": inner}
        if form != "unit":
            ids += form["plain"]["fields"] if "plain" in form else form["tuple"]
    elif kind == "enum":
        ids += inner["variants"]
    elif kind == "trait":
        ids += inner["items"]
    elif kind == "variant":
        form = inner["kind"]
        if form != "plain":
            ids += form["tuple"] if "tuple" in form else form["struct"]["fields"]
    for id in inner.get("impls", []) if isinstance(inner, dict) else []:
        found = crate.index.get(str(id))
        if not found:
            continue
        one = inner_of(found)
        if one["trait"] is None:
            ids += one["items"]
        elif not one["is_synthetic"] and not one["blanket_impl"]:
            traits.add(text_of_path(one["trait"]))
    found = [crate.index.get(str(id)) for id in ids if id is not None]
    owned = kind in ("enum", "trait", "variant")
    return [m for m in found if m and (owned or m["visibility"] == "public")], sorted(traits)


def named(value):
    """The ids of all paths that a declaration has in it."""
    if isinstance(value, list):
        for one in value:
            yield from named(one)
    elif isinstance(value, dict):
        if "path" in value and "id" in value:
            yield value["id"]
        for one in value.values():
            yield from named(one)


def parts(crate, item):
    """An item's own declaration and those of its parts, as far as they say something."""
    kind, inner = kind_of(item), inner_of(item)
    if kind in ("struct", "enum", "union"):
        yield item, inner["generics"]
    elif kind == "trait":
        yield item, [inner["generics"], inner["bounds"]]
    else:
        yield item, inner
    for member in members(crate, item)[0]:
        if kind_of(member) == "variant":
            yield from parts(crate, member)
        else:
            yield member, inner_of(member)


class Names:
    """All that can be named through a crate, by where it is defined; with the names."""

    def __init__(self, crates, name):
        self.crates, self.names, self.outside = crates, {}, set()
        crate = crates[name]
        self.visit(crate, crate.index[crate.root], name, ())

    def visit(self, crate, item, prefix, above):
        kind, inner = kind_of(item), inner_of(item)
        if kind == "use":
            self.follow(crate, inner, prefix, above)
            return
        if item["id"] in [id for name, id in above if name == crate.name]:
            return
        path = crate.path(item["id"])
        name = prefix if kind == "module" else f"{prefix}::{item['name']}"
        if kind == "module":
            for id in inner["items"]:
                child = crate.index.get(str(id))
                if not child:
                    continue
                inside = kind_of(child) == "module"
                at = f"{prefix}::{child['name']}" if inside else prefix
                self.visit(crate, child, at, above + ((crate.name, item["id"]),))
        elif kind not in ("impl", "extern_crate"):
            self.names.setdefault(path, []).append((name, crate, item))

    def follow(self, crate, use, prefix, above):
        id = use["id"]
        target, owner = crate.index.get(str(id)), crate
        path = crate.path(id) if id is not None else tuple(use["source"].split("::"))
        if target is None and path and path[0] in self.crates:
            owner = self.crates[path[0]]
            id = owner.root if len(path) == 1 else owner.ids.get(path)
            target = owner.index.get(str(id))
        if target is None:
            self.outside.add(path or tuple(use["source"].split("::")))
            return
        if kind_of(target) == "module":
            at = prefix if use["is_glob"] else f"{prefix}::{use['name']}"
            self.visit(owner, target, at, above)
        elif kind_of(target) == "use":
            self.visit(owner, target, prefix, above)
        else:
            path = owner.path(target["id"]) or (owner.name, str(target["id"]))
            self.names.setdefault(path, []).append((f"{prefix}::{use['name']}", owner, target))

    def can_name(self, path):
        if path[0] in STANDARD or path in self.names:
            return True
        return any(path[: len(one)] == one or path[0] == one[0] for one in self.outside)


def missing(crates, name):
    """What the signatures name that cannot be named: path, and by what."""
    names = Names(crates, name)
    found = {}
    for known in names.names.values():
        at, crate, item = known[0]
        for part, said in parts(crate, item):
            for id in named(said):
                path = crate.path(id)
                if path and not names.can_name(path) and "::".join(path) not in KNOWN:
                    by = at if part is item else f"{at}::{part['name']}"
                    found.setdefault("::".join(path), by)
    return found


def listing(crates, name):
    lines = set()
    for known in Names(crates, name).names.values():
        for at, crate, item in known:
            if crate.name != name and name not in RUNTIMES:
                continue
            kind = kind_of(item)
            text, words = declaration(item)
            lines.add(f"{at}: {words}{kind}{text}")
            # what belongs to the types of other crates is in their listings
            if crate.name != name or kind not in ("struct", "enum", "union", "trait"):
                continue
            inside, traits = members(crate, item)
            if traits:
                lines.add(f"{at}: has {', '.join(traits)}")
            for member in inside:
                text, words = declaration(member)
                lines.add(f"{at}::{member['name']}: {words}{kind_of(member)}{text}")
                for field in members(crate, member)[0] if kind_of(member) == "variant" else []:
                    where = f"{at}::{member['name']}::{field['name']}"
                    lines.add(f"{where}: {kind_of(field)}{declaration(field)[0]}")
    return sorted(lines)


def main():
    folder, bless = pathlib.Path(sys.argv[1]), "--bless" in sys.argv
    crates = {name: Crate(folder, name) for name in CRATES}
    failed = False
    for name in RUNTIMES:
        for path, by in sorted(missing(crates, name).items()):
            print(f"{name}: {path} cannot be named, but {by} names it")
            failed = True
    here = pathlib.Path(__file__).parent
    for name in CRATES:
        lines, file = listing(crates, name), here / f"{name}.txt"
        text = "\n".join(lines) + "\n"
        if bless:
            file.write_text(text)
            print(f"{name}: {len(lines)} lines")
            continue
        before = set(file.read_text().splitlines()) if file.exists() else set()
        for line in sorted(before.symmetric_difference(lines)):
            print(f"{'-' if line in before else '+'} {line}")
            failed = True
    if failed:
        print("the public API is not as tests/api has it: if that is meant, run ci/api --bless")
        sys.exit(1)


main()
