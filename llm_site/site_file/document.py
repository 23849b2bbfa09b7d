"""A site file as plain data: YAML with line numbers, read by a shape; problems are gathered, not raised one by one."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

Path = tuple[str, ...]
Entry = dict[str, Any]
Read = Callable[[yaml.Node], Any]
Shape = Mapping[str, "Read | Shape"]

NULL = "tag:yaml.org,2002:null"
LISTED = frozenset({"circuits", "stations", "badges", "users", "cpo_servers"})


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong, and where."""

    line: int
    path: str
    message: str

    def text(self, source: str) -> str:
        """Return `FILE:LINE: path: message`."""
        return f"{source}:{self.line}: {self.path}: {self.message}"


class SiteFileError(Exception):
    """The file cannot be applied; holds every problem, in the order of the lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("; ".join(f"line {p.line}: {p.path}: {p.message}" for p in self.problems))


class UnfitError(Exception):
    """A value is not what a reader expects: what was expected, and at which node."""

    def __init__(self, *problems: tuple[yaml.Node, str]) -> None:
        self.problems = problems
        super().__init__("; ".join(message for _node, message in problems))


@dataclass(frozen=True, slots=True)
class ListShape:
    """A list of entries that are found by their first key; `fold` makes two spellings of a key the same."""

    first_key: str
    keys: Shape
    fold: Callable[[str], str] = str


@dataclass
class Document:
    """What a file says: its sections, its lists by folded first key, and the line of every key."""

    sections: dict[str, Entry] = field(default_factory=dict)
    lists: dict[str, dict[str, Entry]] = field(default_factory=dict)
    lines: dict[Path, int] = field(default_factory=dict)
    broken: set[Path] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def line(self, *paths: Path) -> int:
        """Return the line of the first path that the file gives, else of what is nearest above it."""
        for path in paths:
            if path in self.lines:
                return self.lines[path]
        above = [path[:length] for path in paths for length in range(len(path) - 1, 0, -1)]
        return next((self.lines[path] for path in above if path in self.lines), 1)

    def report(self, path: Path, message: str, *, line: int | None = None) -> None:
        """Note a problem; without a line, the path's own is taken."""
        self.problems.append(Problem(self.line(path) if line is None else line, path_text(path), message))

    def is_sound(self, *paths: Path) -> bool:
        """Say whether none of these was found unreadable: a second problem would only follow from the first."""
        return not any(path in self.broken for path in paths)


def path_text(path: Path) -> str:
    """Write a path for people: `stations[CP1].max_current_a`."""
    text = path[0]
    for depth, part in enumerate(path[1:]):
        text += f"[{part}]" if depth == 0 and path[0] in LISTED else f".{part}"
    return text


def nearest(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean "…"?` for a name that is not known, or nothing where no known one is near."""
    folded = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), folded, n=1)
    return f'; did you mean "{folded[near[0]]}"?' if near else ""


def came(node: yaml.Node) -> str:
    """Say what stands at a node, shortly."""
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if node.tag == NULL:
        return "nothing"
    text = node.value if len(node.value) <= 60 else node.value[:57] + "…"
    return f'"{text}"' if node.tag == "tag:yaml.org,2002:str" else text


def line_of(node: yaml.Node) -> int:
    """Return the line of a node, counted from 1."""
    return int(node.start_mark.line) + 1


class _Loader(yaml.SafeLoader):
    """YAML without aliases: a site file is data, and a chain of aliases can grow without bound."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            alias = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(
                None, None, f"expected the value itself, came the alias *{alias.anchor}", alias.start_mark
            )
        return super().compose_node(parent, index)


def parse(text: str) -> yaml.MappingNode:
    """Return the one mapping a site file is; raises SiteFileError where it is anything else."""
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        detail = " ".join(part for part in (error.context, error.problem) if part)
        raise SiteFileError([Problem(line, "file", f"expected YAML, came something else: {detail}")]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"expected YAML, came the character {error.character!r}, which YAML forbids"
        raise SiteFileError([Problem(line, "file", message)]) from error
    except RecursionError as error:
        raise SiteFileError([Problem(1, "file", "expected a site, came values nested too deeply")]) from error
    if node is None:
        raise SiteFileError([Problem(1, "file", "expected a site (a mapping of sections), came an empty file")])
    if not isinstance(node, yaml.MappingNode):
        raise SiteFileError(
            [Problem(line_of(node), "file", f"expected a site (a mapping of sections), came {came(node)}")]
        )
    return node


def read(text: str, sections: Mapping[str, Shape], lists: Mapping[str, ListShape]) -> Document:
    """Read a file by the shape of its sections and lists; raises SiteFileError only where it is no mapping at all."""
    document = Document()
    known = {**sections, **lists}
    for name, node in _known_pairs(document, parse(text), known, ()):
        if name in sections:
            if node.tag == NULL:
                document.report((name,), "expected a mapping, came nothing; leave the key out to keep what is there")
            else:
                document.sections[name] = _read_mapping(document, node, sections[name], (name,))
        else:
            document.lists[name] = _read_list(document, node, lists[name], name)
    return document


def _known_pairs(
    document: Document, node: yaml.MappingNode, known: Iterable[str], path: Path
) -> list[tuple[str, yaml.Node]]:
    """Return the known keys of a mapping with their nodes, noting lines, unknown keys and keys that come twice."""
    pairs: dict[str, yaml.Node] = {}
    for key_node, value_node in node.value:
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else came(key_node)
        line = line_of(key_node)
        if key in pairs:
            first = document.lines[*path, key]
            document.report((*path, key), f"expected a key once, came it again (first on line {first})", line=line)
        elif key not in known:
            document.report((*path, key), f'expected a known key, came "{key}"{nearest(key, known)}', line=line)
        else:
            document.lines[*path, key] = line
            pairs[key] = value_node
    return list(pairs.items())


def _read_mapping(document: Document, node: yaml.Node, shape: Shape, path: Path) -> Entry:
    """Read the keys of a mapping; what cannot be read is left out of the entry and marked broken."""
    if not isinstance(node, yaml.MappingNode):
        document.report(path, f"expected a mapping, came {came(node)}", line=line_of(node))
        document.broken.add(path)
        return {}
    entry: Entry = {}
    for key, value_node in _known_pairs(document, node, shape, path):
        key_path, reader = (*path, key), shape[key]
        if isinstance(reader, Mapping):
            is_null = value_node.tag == NULL
            entry[key] = None if is_null else _read_mapping(document, value_node, reader, key_path)
            continue
        try:
            entry[key] = reader(value_node)
        except UnfitError as unfit:
            document.broken.add(key_path)
            for where, message in unfit.problems:
                document.report(key_path, message, line=line_of(where))
        else:
            if isinstance(value_node, yaml.SequenceNode):
                document.lines.update({(*key_path, item.value): line_of(item) for item in _scalars(value_node)})
    return entry


def _scalars(node: yaml.SequenceNode) -> list[yaml.ScalarNode]:
    return [item for item in node.value if isinstance(item, yaml.ScalarNode)]


def _read_list(document: Document, node: yaml.Node, shape: ListShape, name: str) -> dict[str, Entry]:
    """Read the entries of a list by their folded first key; an entry without a usable one is only checked."""
    if not isinstance(node, yaml.SequenceNode):
        document.report((name,), f"expected a list, came {came(node)}", line=line_of(node))
        return {}
    entries: dict[str, Entry] = {}
    for number, item in enumerate(node.value, start=1):
        key = _first_key(item, shape)
        path = (name, f"#{number}" if key is None else key)
        if key in entries:
            message = f"expected each {shape.first_key} once, came it again (first on line {document.lines[path]})"
            document.report(path, message, line=line_of(item))
            continue
        document.lines[path] = line_of(item)
        entry = _read_mapping(document, item, shape.keys, path)
        if key is not None:
            entries[key] = entry
        elif isinstance(item, yaml.MappingNode) and (*path, shape.first_key) not in document.lines:
            document.report(path, f'expected the key "{shape.first_key}", came an entry without it')
    return entries


def _first_key(node: yaml.Node, shape: ListShape) -> str | None:
    """Return the folded key of an entry; None where it is missing or cannot be read."""
    reader = shape.keys[shape.first_key]
    if not isinstance(node, yaml.MappingNode) or isinstance(reader, Mapping):
        return None
    for key_node, value_node in node.value:
        if key_node.value == shape.first_key:
            try:
                return shape.fold(reader(value_node))
            except UnfitError:
                return None
    return None
