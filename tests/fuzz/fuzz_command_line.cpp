// Fuzzes the command line: the input's lines are the words, and the program's own main function takes them. What comes
// behind the parsing is cut off: the linker puts a function of this file in the place of CommandLine::parse, which
// calls the real one and then leaves. Every outcome must be the help (0) or a usage error (2). The words are also taken
// for a walk's options, of which a command then makes parameters. Uses tools/.
#include <cstdlib>
#include <iostream>
#include <streambuf>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz_target.h"
#include "tools/command_line.h"
#include "tools/options.h"

int blindspot_main(int count, char** words);  // tools/main.cpp's, under this name

namespace {

using namespace blindspot;

/// Thrown when the words were understood; no std::exception, so that main does not take it for a fault.
struct Understood {};

class Discarded : public std::streambuf {
 protected:
  int overflow(int letter) override { return letter == EOF ? 0 : letter; }
  std::streamsize xsputn(const char* /*text*/, std::streamsize size) override { return size; }
};

std::vector<std::string> words_of(fuzz::Bytes data) {
  std::vector<std::string> words{"blindspot"};
  std::string word;
  for (const std::uint8_t byte : data) {
    if (byte == '\n') {
      words.push_back(std::move(word));
      word.clear();
    } else if (byte != 0) {
      word += static_cast<char>(byte);
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

void run(std::vector<std::string> words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size());
  for (std::string& word : words) pointers.push_back(word.data());
  try {
    const int code = blindspot_main(static_cast<int>(pointers.size()), pointers.data());
    if (code != 0 && code != 2) throw Error(ErrorKind::fault, "exit code " + std::to_string(code));
  } catch (const Understood&) {
  }
}

}  // namespace

extern "C" {
bool parse_in_truth(tools::CommandLine* line, const tools::Arguments& arguments) __asm__(
    "__real__ZN9blindspot5tools11CommandLine5parseERKSt6vectorINSt7__cxx1112basic_stringIcSt11char_"
    "traitsIcESaIcEEESaIS8_EE");
}

namespace {

void resolve_walk(const std::vector<std::string>& words) {
  tools::CommandLine line("walk", "", "");
  tools::WalkChoice choice;
  std::vector<std::string> others;
  line.arguments("WORD", others, "", tools::Need::optional);
  tools::add_walk_options(line, choice);
  if (parse_in_truth(&line, {words.begin() + 1, words.end()})) choice.resolve();
}

}  // namespace

extern "C" {
bool parse_and_leave(tools::CommandLine* line, const tools::Arguments& arguments) __asm__(
    "__wrap__ZN9blindspot5tools11CommandLine5parseERKSt6vectorINSt7__cxx1112basic_stringIcSt11char_"
    "traitsIcESaIcEEESaIS8_EE");

bool parse_and_leave(tools::CommandLine* line, const tools::Arguments& arguments) {
  if (parse_in_truth(line, arguments)) throw Understood();
  return false;
}

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Discarded nowhere;
  std::streambuf* const output = std::cout.rdbuf(&nowhere);
  std::streambuf* const messages = std::cerr.rdbuf(&nowhere);
  const std::vector<std::string> words = words_of({data, size});
  fuzz::run_bounded(size, [&] { run(words); });
  fuzz::run_bounded(
      size, [&] { resolve_walk(words); }, ErrorKind::usage);
  std::cout.rdbuf(output);
  std::cerr.rdbuf(messages);
  return 0;
}
}
