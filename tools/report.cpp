// `blindspot report`: the self-contained page of a result, and its figures as files. Uses the shared pieces of tools/
// and tools/report/.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "tools/commands.h"
#include "tools/json_output.h"
#include "tools/numbers.h"
#include "tools/options.h"
#include "tools/output_folder.h"
#include "tools/report/database_input.h"
#include "tools/report/figures.h"
#include "tools/report/folder_input.h"
#include "tools/report/page.h"

namespace blindspot::tools {

namespace {

struct ReportOptions {
  std::string input, class_names, figures;
  std::vector<std::string> triangles, detail;
  OutputOptions output;
  PrintingOptions printing;
};

bool parse(const Arguments& arguments, ReportOptions& options) {
  CommandLine line(
      "report",
      "Make one HTML file of a result: walks step by step, the image grid, triangles, widths, histograms and "
      "tables. It needs nothing but a browser, and no network.",
      "blindspot report found -o found.html\nblindspot report run.db -o run.html --figures figures");
  line.argument("DIR|RUN.db", options.input, "Folder of traverse, grid or demo, or run database of evaluate");
  line.list("--detail", "N",
            "Pairs to show step by step, by their numbers in the page's table; 20 at most (the first 20)",
            options.detail);
  line.list("--triangle", "FILE", "Triangles to show, as `blindspot triangle --json` prints them", options.triangles);
  line.option("--figures", "DIR", "Also each plot as SVG and PNG file into this folder", options.figures);
  add_class_names_option(line, options.class_names);
  add_output_options(line, options.output, "FILE", "The HTML file");
  add_printing_options(line, options.printing);
  return line.parse(arguments);
}

std::vector<std::size_t> detailed_pairs(const ReportOptions& options, const report::ReportInput& input) {
  if (options.detail.empty()) return report::usual_detailed_pairs(input);
  if (options.detail.size() > report::most_detailed_pairs) {
    throw Error(ErrorKind::usage, fmt::format("--detail: names {} pairs; {} at most, so that the page stays small",
                                              options.detail.size(), report::most_detailed_pairs));
  }
  const auto pairs = static_cast<std::int64_t>(input.data().pairs.size());
  std::vector<std::size_t> detailed;
  for (const std::string& text : options.detail) {
    const auto number = static_cast<std::size_t>(read_count("--detail", text, 1, std::max<std::int64_t>(pairs, 1)));
    if (std::find(detailed.begin(), detailed.end(), number - 1) == detailed.end()) detailed.push_back(number - 1);
  }
  return detailed;
}

std::unique_ptr<report::ReportInput> open_input(const ReportOptions& options) {
  if (std::filesystem::is_directory(options.input)) {
    return report::open_folder(options.input, options.class_names, options.triangles);
  }
  if (!options.triangles.empty()) {
    throw Error(ErrorKind::usage, "--triangle: is for folders; a run database has triangles of its own");
  }
  return report::open_database(options.input, options.class_names);
}

/// Figures of an earlier report are replaced one by one; whatever else is there stays.
void check_figure_folder(const std::string& path, bool overwrite) {
  std::error_code error;
  if (std::filesystem::exists(path, error) && !std::filesystem::is_directory(path, error)) {
    throw Error(ErrorKind::input, fmt::format("{}: is a file; name a folder for the figures", path));
  }
  if (!overwrite && std::filesystem::is_directory(path, error) && !std::filesystem::is_empty(path, error)) {
    throw Error(ErrorKind::usage, fmt::format("{}: is not empty; give --overwrite to replace figures in it", path));
  }
  std::filesystem::create_directories(path, error);
  if (error) throw Error(ErrorKind::input, fmt::format("{}: cannot be made: {}", path, reason_of(error)));
}

void check_that_nothing_read_is_written(const ReportOptions& options) {
  std::vector<std::string> read{options.input, options.class_names};
  read.insert(read.end(), options.triangles.begin(), options.triangles.end());
  for (const std::string& path : read) {
    std::error_code ignored;
    if (!std::filesystem::equivalent(path, options.output.path, ignored)) continue;
    throw Error(ErrorKind::usage,
                fmt::format("-o {}: is what the report is made of; name another file", options.output.path));
  }
}

}  // namespace

int run_report(const Arguments& arguments, const StopSignals& stop) {
  ReportOptions options;
  if (!parse(arguments, options)) return 0;
  check_that_nothing_read_is_written(options);
  check_output_file(options.output.path, options.output.overwrite);
  const std::unique_ptr<report::ReportInput> input = open_input(options);
  if (input->data().pairs.empty()) {
    throw Error(ErrorKind::input, fmt::format("{}: holds no finished pair; there is nothing to show", options.input));
  }
  const report::PageChoice choice{detailed_pairs(options, *input), stop.cancelled()};
  input->choose(choice.detailed);
  std::size_t figures = 0;
  if (!options.figures.empty()) {
    check_figure_folder(options.figures, options.output.overwrite);
    figures = report::write_figures(*input, choice, options.figures);
  }
  const std::string page = report::page_text(*input, choice);
  write_output_file(options.output.path, page);
  if (options.printing.json) {
    Json result = document("report");
    result["output"] = options.output.path;
    result["bytes"] = page.size();
    result["pairs"] = input->data().pairs.size();
    result["detailed"] = choice.detailed.size();
    result["triangles"] = input->data().triangles.size();
    result["figures"] = figures;
    print(to_text(result));
    return 0;
  }
  std::string text =
      fmt::format("{}: {}, {} of them step by step, {}, {:.1f} MB\n", options.output.path,
                  counted(input->data().pairs.size(), "pair"), choice.detailed.size(),
                  counted(input->data().triangles.size(), "triangle"), static_cast<double>(page.size()) / 1e6);
  if (!options.figures.empty())
    text += fmt::format("{}, each as SVG and PNG, in {}\n", counted(figures, "figure"), options.figures);
  print(text);
  return 0;
}

}  // namespace blindspot::tools
