"""Bugs to plant, one for each fuzz target: what a check says, and what is left when a part of it is forgotten. For
tools/fuzz.sh --planted, which asks whether the target finds its bug from the seeds alone. No seed is made for any of them.

    planted_bugs.py TARGET TREE    plants the target's bug in a copy of the sources
    planted_bugs.py --file TARGET  the file that it is planted in
    planted_bugs.py --check        fails unless every bug still has its place in the sources beside this file
"""
import pathlib
import sys

# target: what is forgotten, file, and pairs of what stands there and what is left of it
BUGS = {
    "safetensors": ("the bounds of tensors against the data", "weights/safetensors_reader.cpp", [
        ("if (entry.begin > entry.end || entry.end > data_size) {", "if (entry.begin > entry.end) {"),
        ("if (covered != data_size) {", "if (covered < data_size) {")]),
    "pickle": ("that a MARK may be missing", "weights/unpickler.cpp", [
        ('if (marks_.empty()) fail("a MARK is missing");\n', "\n")]),
    "zip": ("the bounds of members against the directory", "weights/zip_directory.cpp", [
        ("if (header > directory_offset - local || extent.packed_size > directory_offset - local - header) {",
         "if (header > directory_offset - local) {"),
        ("if (position > bytes_.size() || size > bytes_.size() - position) fail(", "if (position > bytes_.size()) fail(")]),
    "json": ("the count of a list of three numbers", "engine/preprocessing_json.cpp", [
        ("if (!value.is_array() || value.size() != 3) refuse(file, fmt::format(\"`{}` is not a list of three",
         "if (!value.is_array()) refuse(file, fmt::format(\"`{}` is not a list of three")]),
    "png": ("the checksum's four bytes behind a chunk", "engine/images/png_structure.cpp", [
        ("if (length > longest_chunk || length > rest_.size() - 12) {",
         "if (length > longest_chunk || length > rest_.size() - 8) {")]),
    "jpeg": ("the end of a progressive block's coefficients", "engine/images/jpeg_entropy.cpp", [
        ("      if (k > scan_.spectral_end) overrun();\n      if (category == 0) continue;\n      bits_.skip(category);\n",
         "      if (category == 0) continue;\n      bits_.skip(category);\n")]),
    "run_rows": ("the bounds of an input's image", "engine/evaluation/run_rows.cpp", [
        ('check_number(connection, "the image of an input", rows.integer(0), images);\n', "(void)images;\n")]),
    "command_line": ("that a flag's value may be no number", "tools/command_line.cpp", [
        ("  } catch (const std::logic_error&) {\n    self.refuse_flag_value(arguments);\n  }", "  }")]),
}


def planted(target, tree):
    """The path and the text with the target's bug in it."""
    _, name, changes = BUGS[target]
    path = pathlib.Path(tree) / name
    text = path.read_text()
    for there, left in changes:
        if text.count(there) != 1:
            raise SystemExit(f"{path}: the place for {target}'s bug is there {text.count(there)} times: {there}")
        text = text.replace(there, left)
    return path, text


def main(arguments):
    if arguments == ["--check"]:
        for target in BUGS:
            planted(target, pathlib.Path(__file__).resolve().parents[2])
        return
    if len(arguments) == 2 and arguments[0] == "--file" and arguments[1] in BUGS:
        print(BUGS[arguments[1]][1])
        return
    if len(arguments) != 2 or arguments[0] not in BUGS:
        raise SystemExit("usage: planted_bugs.py TARGET TREE | --file TARGET | --check")
    target, tree = arguments
    path, text = planted(target, tree)
    path.write_text(text)
    print(BUGS[target][0])


if __name__ == "__main__":
    main(sys.argv[1:])
