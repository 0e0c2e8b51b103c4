// The program `blindspot`: finds the command, and turns what goes wrong into one line on stderr and an exit code. Uses
// commands.h and the public interface.
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <span>
#include <string_view>
#include <system_error>

#include "blindspot/model.h"
#include "blindspot/one_line.h"
#include "blindspot/stopping.h"
#include "tools/commands.h"
#include "tools/json_output.h"
#include "tools/lost_file.h"
#include "tools/near_miss.h"
#include "tools/options.h"
#include "tools/text_output.h"

namespace blindspot::tools {
namespace {

struct Command {
  const char* name;
  const char* summary;
  int (*run)(const Arguments&, const StopSignals&);
};

constexpr std::array<Command, 19> commands{{
    {"traverse", "walk from every source towards every target", run_traverse},
    {"grid", "walk between every two of some images; one picture of all", run_grid},
    {"triangle", "confidence over the triangle of three images", run_triangle},
    {"path", "confidence along the straight line between two images", run_path},
    {"simplex", "confidence over the convex hull of any number of images", run_simplex},
    {"width", "how wide the level set is around a point of a walk", run_width},
    {"distance", "how far two images lie apart", run_distance},
    {"evaluate", "walks of many sources in rounds, into a run database", run_evaluate},
    {"merge", "join the run databases of an evaluation's shards", run_merge},
    {"table", "the paper's tables from run databases", run_table},
    {"export", "the pairs of a run database as CSV", run_export},
    {"classify", "logits and probabilities of images", run_classify},
    {"gradient", "gradient of the cross entropy with respect to an image", run_gradient},
    {"verify", "recompute what a result claims", run_verify},
    {"report", "one HTML page of a result, and its figures", run_report},
    {"weights", "fetch, inspect, convert or make weight files", run_weights},
    {"devices", "what there is to run on", run_devices},
    {"bench", "measure the walk on this machine", run_bench},
    {"demo", "a demonstration with a built-in network", run_demo},
}};

void print_help() {
  std::cout
      << "blindspot explores the blind spots of vision networks: from an image towards another, without the network "
         "losing its confidence.\n\nUsage: blindspot COMMAND [OPTION...]\n\nCommands:\n";
  for (const Command& command : commands) std::cout << fmt::format("  {:<10} {}\n", command.name, command.summary);
  std::cout
      << "\nOptions:\n  -h, --help  this text; behind a command, that command's\n"
         "  --version   version, libraries and instruction set; with --json as a document\n\n"
         "Example:\n  blindspot demo -o found\n"
         "  blindspot traverse resnet50.safetensors --source dog.jpg --target cat.jpg -o out\n\n"
         "Environment:\n"
         "  BLINDSPOT_WEIGHTS         folder of fetched weights, else below $XDG_DATA_HOME or ~/.local/share\n"
         "  BLINDSPOT_MIRROR          asked in place of the hosts of published weights\n"
         "  https_proxy, http_proxy, no_proxy  proxies of downloads\n"
         "  SSL_CERT_FILE             certificates that downloads trust\n"
         "  BLINDSPOT_PLUGINS         folders of the CUDA plug-in, separated by colons, in place of the usual ones\n"
         "  BLINDSPOT_CUDA_LIBRARIES  folders of cuDNN and cuBLAS, separated by colons, before the usual ones\n"
         "  XDG_CACHE_HOME            where plans chosen for a GPU are kept, else ~/.cache\n"
         "  OMP_WAIT_POLICY           \"passive\": threads sleep while they wait, which is better on a busy machine\n\n"
         "Exit codes: 0 done, 1 a fault of the program, 2 wrong usage, 3 bad input or output, 4 device or memory,\n"
         "5 done but something was left out, 129, 130 and 143 stopped by a signal.\n";
}

std::vector<std::string> command_names() {
  std::vector<std::string> names;
  names.reserve(commands.size());
  for (const Command& command : commands) names.emplace_back(command.name);
  return names;
}

std::string list_of(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

int run_version(const Arguments& arguments) {
  PrintingOptions printing;
  CommandLine line("--version", "Version, libraries and instruction set.", "blindspot --version --json");
  add_printing_options(line, printing);
  if (!line.parse(arguments)) return 0;
  if (!printing.json) {
    print(version_details() + "\n");
    return 0;
  }
  Json result = document("version");
  result["name"] = "blindspot";
  result["details"] = version_details();
  print(to_text(result));
  return 0;
}

int dispatch(const Arguments& arguments, const StopSignals& stop) {
  if (arguments.empty()) {
    throw Error(ErrorKind::usage, fmt::format("usage: blindspot COMMAND [OPTION...], with one of {}; --help says more",
                                              list_of(command_names())));
  }
  const std::string& first = arguments.front();
  if (first == "-h" || first == "--help") {
    print_help();
    return 0;
  }
  if (first == "--version") return run_version({arguments.begin() + 1, arguments.end()});
  for (const Command& command : commands) {
    if (first == command.name) return command.run({arguments.begin() + 1, arguments.end()}, stop);
  }
  const char* what = first.starts_with("-") ? "option before the command" : "command";
  throw Error(ErrorKind::usage,
              fmt::format("no {} {}{} (see blindspot --help)", what, first, near_miss(first, command_names())));
}

/// Control characters, which a file's name may hold, would break the one line or the terminal. Asks for no memory,
/// which may be what is missing.
int report(std::string_view message, int exit_code, std::string_view before = "") {
  std::array<char, 512> piece{};
  std::size_t size = 0;
  const auto put = [&](std::string_view text) {
    for (const char letter : text) {
      if (size == piece.size()) {
        std::cerr.write(piece.data(), static_cast<std::streamsize>(size));
        size = 0;
      }
      piece.at(size++) = letter;
    }
  };
  put("blindspot: ");
  put(before);
  put_on_one_line(message, put);
  put("\n");
  std::cerr.write(piece.data(), static_cast<std::streamsize>(size));
  std::cerr.flush();
  return exit_code;
}

constexpr std::string_view out_of_memory = "out of memory; a smaller --batch takes less";

/// What the standard library throws of its own, as an Error.
[[noreturn]] void refuse_for_the_system(const std::system_error& error, const std::string& what) {
  throw Error(kind_of(error.code()), fmt::format("{}: {}", what, reason_of(error.code())));
}

int run_command(const Arguments& arguments, const StopSignals& stop) {
  try {
    const int exit_code = dispatch(arguments, stop);
    print("");
    // A signal that came too late to save any work still ends what comes after this program in a script.
    return stop.requested() ? stop.exit_code() : exit_code;
  } catch (const std::filesystem::filesystem_error& error) {
    refuse_for_the_system(error, error.path1().string());
  } catch (const std::system_error& error) {
    refuse_for_the_system(error, "the system refuses what is asked of it");
  }
}

int run(std::span<char*> words) {
  const IgnoredPipes pipes;
  const StopSignals stop;
  try {
    return run_command({words.begin(), words.end()}, stop);
  } catch (const Stopped&) {
    return report("stopped; files written so far are whole", stop.exit_code());
  } catch (const ReaderGone&) {
    pipes.end();
    return report("stdout: cannot be written: nobody reads it", 3);
  } catch (const Error& error) {
    return report(error.what(), static_cast<int>(error.kind()));
  } catch (const std::bad_alloc&) {
    return report(out_of_memory, 4);
  } catch (const std::exception& error) {
    return report(error.what(), 1, "a fault of blindspot itself, please report it: ");
  }
}

/// Whether an allocation has failed; it stays true for a run that got over it.
std::atomic<bool>& memory_was_short() {
  static std::atomic<bool> was_short{false};
  return was_short;
}

/// What operator new calls before it gives up.
void note_short_memory() {
  memory_was_short() = true;
  throw std::bad_alloc();
}

/// Where no exception can get out: mostly the destructors of nlohmann-json's documents and libstdc++'s directory
/// iterators, which ask for memory.
[[noreturn]] void end_at_once() {
  bool memory = memory_was_short();
  try {
    if (std::current_exception()) std::rethrow_exception(std::current_exception());
  } catch (const std::bad_alloc&) {
    memory = true;
  } catch (...) {
    memory = false;
  }
  const int code = memory ? report("out of memory, and no room to tidy up; what is named .partial or .part may stay", 4)
                          : report("a fault of blindspot itself, please report it: it ends in mid-air", 1);
  _exit(code);
}

}  // namespace
}  // namespace blindspot::tools

int main(int count, char** words) {
  std::set_new_handler(blindspot::tools::note_short_memory);
  std::set_terminate(blindspot::tools::end_at_once);
  blindspot::tools::end_by_lost_files();
  const std::span<char*> all(words, static_cast<std::size_t>(count));
  return blindspot::tools::run(count > 0 ? all.subspan(1) : all);
}
