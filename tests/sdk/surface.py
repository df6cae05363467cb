#!/usr/bin/env python3
"""surface.py OUT.c: a program that has compiled and says "ok" when include/ and the library are as surface.tsv says.
surface.py --headers: the headers' names.
surface.py --lists EXPORTS: EXPORTS and not_yet.txt together are the table's functions, but for those that a program defines."""
import pathlib
import re
import sys

here = pathlib.Path(__file__).parent
table = [line.split("\t") for line in (here / "surface.tsv").read_text().splitlines() if not line.startswith("#")]
table = [(row + [""])[:4] for row in table]
headers = sorted({header for _, header, _, _ in table if header != "-"})
theirs = re.compile(r"hsm_client_|MU_PROV_DEVICE_(RESULT|REG_STATUS)_ToString$")  # a vendor's, an application's


def names(path):
    return {line for line in path.read_text().splitlines() if line and not line.startswith("#")}


def same(a, b):
    return f'_Static_assert(__builtin_types_compatible_p({a}, {b}), "{a} is {b}");'


def check_struct(tag, members):
    keyword = f"struct {tag}"
    before = None
    for member in members.split("; "):
        name, kind = member.split(": ", 1)
        its = f"__typeof__((({keyword} *)0)->{name})"
        if kind.endswith("[]"):
            yield same(f"__typeof__((({keyword} *)0)->{name}[0])", kind[:-2])
        elif kind != "-":
            yield same(its, kind)
        if before:
            yield (f'_Static_assert(offsetof({keyword}, {before}) < offsetof({keyword}, {name}), "{tag}: '
                   f'{before} before {name}");')
        before = name


def function_type(kind, name):
    result, parameters = re.fullmatch(r"(.*?) ?(\(.*\))", kind).groups()
    return f"{result} (*{name}){parameters}"


def program(not_yet):
    yield "#include <stddef.h>\n#include <stdio.h>\n#include <string.h>"
    for header in headers:
        yield f'#include "{header}"'
    run, calls = [], []
    for kind, _, name, value in table:
        if kind == "type":
            yield same(name, value)
        elif kind == "struct":
            yield from check_struct(name, value)
        elif kind == "value":
            yield f'_Static_assert({name} == {value}, "{name} is {value}");'
        elif kind == "text":
            run.append(f'\tsay("{name}", strcmp({name}, {value}) == 0);')
        elif kind == "list":
            members = ", ".join(value.split())
            run.append(f"\t{{\n\t\tstatic const int ours[] = {{ {name} }}, theirs[] = {{ {members} }};\n"
                       f'\t\tsay("{name}", sizeof(ours) == sizeof(theirs) && memcmp(ours, theirs, sizeof(ours)) == 0);\n\t}}')
        elif kind == "call" and name not in not_yet and not theirs.match(name):
            calls.append(name)
            yield f"extern {function_type(value, 'at_' + name)};\n{function_type(value, 'at_' + name)} = {name};"
        elif kind == "call":
            yield same(f"__typeof__(&{name})", function_type(value, ""))
    for kind, _, name, value in table:
        if kind == "list" and name.startswith("PROV_DEVICE_RE"):
            yield f"MU_DEFINE_ENUM_STRINGS_WITHOUT_INVALID({re.sub('_VALUES?$', '', name)}, {name})"
    yield 'static int bad;\nstatic void\nsay(const char *name, int good)\n{\n\tif (!good)\n\t\tprintf("%s\\n", name);\n\tbad |= !good;\n}'
    yield "int\nmain(void)\n{"
    yield from run
    for name in calls:
        yield f'\tsay("{name}", at_{name} != NULL);'
    yield '\tsay("names", strcmp(MU_ENUM_TO_STRING(PROV_DEVICE_RESULT, PROV_DEVICE_RESULT_DISABLED), "PROV_DEVICE_RESULT_DISABLED") == 0);'
    yield f'\tputs(bad ? "surface: these are not as surface.tsv says" : "ok, {len(calls)} functions");\n\treturn bad;\n}}'


def lists(exports):
    have, not_yet = names(pathlib.Path(exports)), names(here / "not_yet.txt")
    want = {name for kind, _, name, _ in table if kind == "call" and not theirs.match(name)}
    complaints = [f"{name}: in {exports} and in not_yet.txt" for name in sorted(have & not_yet)]
    complaints += [f"{name}: neither in {exports} nor in not_yet.txt" for name in sorted(want - have - not_yet)]
    complaints += [f"{name}: not in surface.tsv" for name in sorted((have | not_yet) - want)]
    sys.exit("\n".join(complaints) or 0)


if sys.argv[1] == "--headers":
    print("\n".join(headers))
elif sys.argv[1] == "--lists":
    lists(sys.argv[2])
else:
    pathlib.Path(sys.argv[1]).write_text("\n".join(program(names(here / "not_yet.txt"))) + "\n")
