"""Fields of the session and the subject for an NWB file, and the command ``hartline nwb``."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
import tomllib
from pathlib import Path
from typing import Any, TypeVar

from .errors import Error, IoError, RunError, SpecError

SESSION = ("session_description", "session_id", "experiment_description", "experimenter", "institution", "lab", "keywords", "protocol",
           "notes", "related_publications")
SUBJECT = ("subject_id", "species", "sex", "age", "description", "genotype", "strain", "weight")
LISTS = ("experimenter", "keywords", "related_publications")
FOR_DANDI = {  # and the form that the archive asks for
    "session_description": r"(?s).+",
    "subject.subject_id": r"[^/]+",
    "subject.species": r"[A-Z][a-z]+ [a-z]+.*|http://purl\.obolibrary\.org/obo/NCBITaxon_\d+",
    "subject.sex": r"[MFUO]",
    "subject.age": r"P(?=.)(\d+(\.\d+)?[YMWD])*(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?(/(P(\d+(\.\d+)?[YMWD])+)?)?",
}

AnyError = TypeVar("AnyError", bound=Error)


def fault(kind: type[AnyError], field: str, expected: str, got: str, hint: str = "") -> AnyError:
    """An error of the project's form with its facts."""
    out = kind(f"{field}: must be {expected} (got {got}).{' ' * bool(hint)}{hint}")
    out.field, out.expected, out.got, out.hint = field, expected, got, hint
    return out


def _unknown(field: str, name: str, known: tuple[str, ...]) -> SpecError:
    near = difflib.get_close_matches(name, known, 1)
    return fault(SpecError, field, f"one of {', '.join(known)}", f'"{name}"', f'Did you mean "{near[0]}"?' if near else "")


def checked(meta: dict[str, Any]) -> dict[str, Any]:
    """The fields as they were given, all known and of the right type."""
    out: dict[str, Any] = {}
    for name, value in meta.items():
        if name == "subject" and isinstance(value, dict):
            for key, text in value.items():
                if key not in SUBJECT:
                    raise _unknown(f"meta.subject.{key}", key, SUBJECT)
                if not isinstance(text, str):
                    raise fault(SpecError, f"meta.subject.{key}", "a text", repr(text))
            out[name] = dict(value)
        elif name not in SESSION:
            raise _unknown(f"meta.{name}", name, (*SESSION, "subject"))
        elif name in LISTS:
            out[name] = [value] if isinstance(value, str) else value
            if not isinstance(out[name], list) or not all(isinstance(text, str) for text in out[name]):
                raise fault(SpecError, f"meta.{name}", "a text or a list of texts", repr(value))
        elif not isinstance(value, str):
            raise fault(SpecError, f"meta.{name}", "a text", repr(value))
        else:
            out[name] = value
    return out


def missing_for_dandi(meta: dict[str, Any]) -> list[str]:
    """What the DANDI archive would refuse: fields not given, or not in its form."""
    flat = {**meta, **{f"subject.{name}": value for name, value in meta.get("subject", {}).items()}}
    return [name for name, form in FOR_DANDI.items() if not re.fullmatch(form, flat.get(name, ""))]


def _meta_file(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise fault(IoError, path, "a readable file", str(error.strerror), "Check the spelling of the path.") from error
    except ValueError as error:
        raise fault(SpecError, path, "TOML", str(error)) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hartline nwb", description="write a record as an NWB file")
    parser.add_argument("record")
    parser.add_argument("out", help="NWB file to write, a new one")
    parser.add_argument("--meta", help="TOML file of fields: session_description, …, and a table subject")
    parser.add_argument("--dandi", action="store_true", help="demand what the DANDI archive demands")
    for name in SESSION:
        several = name in LISTS
        parser.add_argument(f"--{name.replace('_', '-')}", action="append" if several else "store",
                            help="may be repeated" if several else None)
    for name in SUBJECT:
        parser.add_argument(f"--subject-{name.removeprefix('subject_').replace('_', '-')}", dest=f"subject.{name}")
    return parser


def command(arguments: list[str]) -> int:
    """``hartline nwb``; returns the exit code, as the program's other commands."""
    from .nwb import write

    try:
        given = vars(_parser().parse_args(arguments))
    except SystemExit as stop:
        return int(stop.code or 0)
    record, out, meta_file, dandi = (given.pop(name) for name in ("record", "out", "meta", "dandi"))
    try:
        meta = _meta_file(meta_file) if meta_file else {}
        for name, value in given.items():
            if value is not None:
                subject, _, key = name.rpartition(".")
                (meta.setdefault(subject, {}) if subject else meta)[key] = value
        missing = write(record, out, meta, dandi)
    except Error as error:
        print(f"hartline: {error}", file=sys.stderr)
        return next((code for kind, code in ((SpecError, 2), (RunError, 3), (IoError, 4)) if isinstance(error, kind)), 5)
    if missing:
        print(f"hartline: {out} is valid NWB; DANDI will also ask for {', '.join(missing)}", file=sys.stderr)
    print(f"nwb = {out}")
    return 0
