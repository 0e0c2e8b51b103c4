// Implementation of support_table.h.
#include "tests/cudnn_support/support_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace blindspot::tests {

namespace {

/// "eng41" of "eng41_k2=13_k3=0", as its number.
int engine_number(const std::string& identity) {
  const std::size_t start = identity.find("eng");
  return start == std::string::npos ? -1 : std::atoi(identity.c_str() + start + 3);
}

/// "convolution residual bias relu" of "convolution [196, 56, ...] residual bias relu": the name without its sizes.
std::string kind_of(const std::string& name) {
  std::string kind;
  bool in_brackets = false;
  std::string word;
  const auto end_word = [&] {
    const bool size = word.empty() || word == "to" || word == "kernel" || word == "stride" ||
                      word.find_first_not_of("0123456789x") == std::string::npos;
    if (!size) kind += (kind.empty() ? "" : " ") + word;
    word.clear();
  };
  for (const char letter : name) {
    if (letter == '[')
      in_brackets = true;
    else if (letter == ']')
      in_brackets = false;
    else if (in_brackets)
      continue;
    else if (letter == ' ')
      end_word();
    else
      word += letter;
  }
  end_word();
  return kind;
}

struct Row {
  int graphs = 0, supported = 0, may_be_missing = 0, for_want_of_a_layout = 0;
  std::size_t fewest = std::numeric_limits<std::size_t>::max();
  std::set<int> engines;
};

std::string joined(const std::set<int>& numbers) {
  std::string text;
  for (const int number : numbers) text += fmt::format("{}{}", text.empty() ? "" : " ", number);
  return text.empty() ? "none" : text;
}

}  // namespace

std::string engines_text(const std::vector<cuda::CudnnEngine>& engines, const cuda::GraphDescription& graph) {
  std::vector<std::pair<int, int>> counts;  // engine, configurations; in cuDNN's order
  for (const cuda::CudnnEngine& engine : engines) {
    if (!cuda::may_be_used(engine, graph)) continue;
    const int number = engine_number(engine.identity);
    const auto found =
        std::find_if(counts.begin(), counts.end(), [&](const auto& pair) { return pair.first == number; });
    if (found == counts.end())
      counts.emplace_back(number, 1);
    else
      ++found->second;
  }
  std::string text;
  for (const auto& [number, count] : counts) text += fmt::format("{}{}×{}", text.empty() ? "" : " ", number, count);
  return text.empty() ? "none" : text;
}

std::string summary_table(const std::vector<Answer>& answers) {
  std::map<std::tuple<std::string, std::string, std::string>, Row> rows;
  for (const Answer& answer : answers) {
    const WantedGraph& wanted = *answer.wanted;
    Row& row = rows[{wanted.network, wanted.precision, kind_of(wanted.graph.name)}];
    ++row.graphs;
    row.supported += answer.usable > 0 ? 1 : 0;
    row.may_be_missing += wanted.may_be_missing ? 1 : 0;
    row.for_want_of_a_layout += answer.for_want_of_a_layout;
    row.fewest = std::min(row.fewest, answer.usable);
    for (const cuda::CudnnEngine& engine : answer.engines) {
      if (cuda::may_be_used(engine, wanted.graph)) row.engines.insert(engine_number(engine.identity));
    }
  }
  std::string text =
      "| network | precision | graph | shapes | supported | fewest configurations | engines | refused for want of a "
      "layout |\n|---|---|---|---|---|---|---|---|\n";
  for (const auto& [key, row] : rows) {
    text += fmt::format("| {} | {} | {}{} | {} | {} | {} | {} | {} |\n", std::get<0>(key), std::get<1>(key),
                        std::get<2>(key), row.may_be_missing == row.graphs ? " (may be missing)" : "", row.graphs,
                        row.supported, row.fewest, joined(row.engines), row.for_want_of_a_layout);
  }
  return text;
}

std::string graph_table(const std::vector<Answer>& answers, const std::string& network, const std::string& precision,
                        std::int64_t batch) {
  std::string text = "| graph | engines×configurations | not chosen | reason |\n|---|---|---|---|\n";
  for (const Answer& answer : answers) {
    const WantedGraph& wanted = *answer.wanted;
    if (wanted.network != network || wanted.precision != precision || wanted.batch != batch) continue;
    text += fmt::format("| {} | {} | {} | {} |\n", wanted.graph.name, engines_text(answer.engines, wanted.graph),
                        answer.engines.size() - answer.usable, answer.reason);
  }
  return text;
}

}  // namespace blindspot::tests
