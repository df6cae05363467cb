"""Reads events, one JSON object a line; succeeds if exactly one of them has all of PATH=VALUE, such as authMethod.type=sas."""
import json
import sys


def at(event, path):
    for step in path.split("."):
        event = event.get(step) if isinstance(event, dict) else None
    return event


wanted = [argument.split("=", 1) for argument in sys.argv[1:]]
events = [json.loads(line) for line in sys.stdin]
alike = [event for event in events if all(at(event, path) == value for path, value in wanted)]
if len(alike) != 1:
    sys.exit("%d events, not 1, have %s; there are:\n%s" % (len(alike), wanted, "\n".join(map(str, events))))
