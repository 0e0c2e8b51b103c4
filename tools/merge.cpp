// `blindspot merge`: the shards of an evaluation joined into one run database. Uses the public headers and the shared
// pieces of tools/.
#include <fmt/format.h>

#include "blindspot/evaluation.h"
#include "tools/commands.h"
#include "tools/json_output.h"
#include "tools/numbers.h"
#include "tools/options.h"

namespace blindspot::tools {

int run_merge(const Arguments& arguments, const StopSignals& stop) {
  std::vector<std::string> shards;
  std::string merged;
  PrintingOptions printing;
  CommandLine line("merge", "Join the run databases of all parts that `evaluate --shard` has made.",
                   "blindspot merge part1.db part2.db -o run.db");
  line.arguments("RUN.db", shards, "The parts, in any order");
  line.option("-o,--output", "RUN.db", "The run database to write", merged, Need::required);
  add_printing_options(line, printing);
  if (!line.parse(arguments)) return 0;
  merge_evaluations({shards.begin(), shards.end()}, merged, stop.cancelled());
  const RunDatabase database = RunDatabase::open(merged);
  std::size_t pairs = 0;
  for (const EvaluatedModel& model : database.models()) pairs += database.pairs(model.number).size();
  if (!printing.json) {
    print(fmt::format("{} of {} written to {}\n", counted(pairs, "pair"), counted(shards.size(), "part"), merged));
    return 0;
  }
  Json result = document("merge");
  result["output"] = merged;
  result["parts"] = shards.size();
  result["pairs"] = pairs;
  result["content_sha256"] = database.content_sha256();
  print(to_text(result));
  return 0;
}

}  // namespace blindspot::tools
