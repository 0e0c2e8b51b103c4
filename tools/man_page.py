"""The manual page, from what the program's --help prints: man_page.py PROGRAM OUTPUT. Uses Python's standard library only."""
import re
import subprocess
import sys

HEADING = re.compile(r"^(\S.*):$")
ENTRY = re.compile(r"^  (\S.*?)(?:  +(\S.*))?$")


def help_of(program, *words):
    return subprocess.run([program, *words, "--help"], check=True, capture_output=True, text=True).stdout


def commands_of(text):
    """The names in the list under `Commands:`."""
    block = text.partition("Commands:\n")[2].partition("\n\n")[0]
    return [line.split()[0] for line in block.splitlines()]


def escaped(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


def body(text):
    """A help text as paragraphs; its lists as tagged paragraphs, its examples as they stand."""
    lines, heading, in_paragraph = [], "", False
    for line in text.splitlines():
        continues, in_paragraph = in_paragraph, False
        if match := HEADING.match(line):
            heading = match[1]
            lines += [".PP", f".B {escaped(heading)}"]
        elif line.startswith("Usage: "):
            lines += [".PP", escaped(line)]
            heading = ""
        elif not line.strip():
            continue
        elif heading == "Example":
            lines += [".br", escaped(line.strip())]
        elif heading and (match := ENTRY.match(line)):
            lines += [".TP", f".B {escaped(match[1])}", escaped(match[2] or "")]
        else:
            lines += [escaped(line.strip())] if continues else [".PP", escaped(line.strip())]
            in_paragraph = True
    return [line for line in lines if line]


def page(program):
    version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.split()[1].rstrip(":")
    top = help_of(program)
    lines = [f'.TH BLINDSPOT 1 "" "blindspot {version}" "User commands"', ".SH NAME",
             r"blindspot \- explore the blind spots of vision networks", ".SH DESCRIPTION", *body(top), ".SH COMMANDS"]
    for command in commands_of(top):
        text = help_of(program, command)
        lines += [f".SS {command}", *body(text)]
        if command == "weights":
            for part in commands_of(text):
                lines += [f".SS weights {part}", *body(help_of(program, command, part))]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(page(sys.argv[1]))
