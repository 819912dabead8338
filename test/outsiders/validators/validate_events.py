"""Holds events against their published schemas: one event a line, the folder has <event type>.schema.json. Prints what it refuses."""

import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator

events, folder = map(Path, sys.argv[1:])
validators = {}
refused = 0
taken = 0
for line in events.read_text(encoding="utf-8").splitlines():
    event = json.loads(line)
    name = event["metadata"]["event_type"]
    if name not in validators:
        schema = json.loads((folder / f"{name}.schema.json").read_text(encoding="utf-8"))
        Draft202012Validator.check_schema(schema)
        validators[name] = Draft202012Validator(
            schema, format_checker=Draft202012Validator.FORMAT_CHECKER
        )
    fault = next(validators[name].iter_errors(event), None)
    if fault is None:
        taken += 1
    else:
        refused += 1
        if refused <= 5:
            print(f"{fault.json_path}: {fault.message}", file=sys.stderr)
print(json.dumps({"taken": taken, "refused": refused}))
