// `blindspot weights fetch`: published weights into the weight folder, from their address or from a file. Uses the
// public headers and the shared pieces of tools/.
#include "blindspot/fetch.h"

#include <fmt/format.h>

#include <cstdlib>

#include "tools/json_output.h"
#include "tools/numbers.h"
#include "tools/options.h"
#include "tools/progress.h"
#include "tools/weights_commands.h"

namespace blindspot::tools {

namespace {

struct NamedFetch {
  const CatalogueEntry* entry;
  FetchedWeights fetched;
};

std::string checked_text(PublishedDigest::Kind kind) {
  switch (kind) {
    case PublishedDigest::Kind::sha256:
      return "SHA-256 as the catalogue has it";
    case PublishedDigest::Kind::prefix:
      return "SHA-256 begins as the catalogue has it";
    case PublishedDigest::Kind::announced:
      return "SHA-256 as the host announced it";
    case PublishedDigest::Kind::none:
      break;
  }
  return "SHA-256 not held against anything";
}

std::string fetch_line(const NamedFetch& named) {
  const auto& [entry, fetched] = named;
  if (fetched.was_there) return fmt::format("{}: is there, {}\n", entry->name, fetched.path.string());
  return fmt::format("{}: {} from {}, {} ({})\n", entry->name, bytes_text(fetched.source_bytes), fetched.source,
                     checked_text(fetched.checked_by), fetched.source_sha256) +
         fmt::format("written to {}\n", fetched.path.string());
}

Json fetch_json(const std::vector<NamedFetch>& all) {
  Json result = document("weights-fetch");
  result["networks"] = Json::array();
  for (const auto& [entry, fetched] : all) {
    Json one = Json::object();
    one["name"] = entry->name;
    one["path"] = fetched.path.string();
    one["was_there"] = fetched.was_there;
    one["source"] = fetched.was_there ? Json(nullptr) : Json(fetched.source);
    one["source_sha256"] = fetched.was_there ? Json(nullptr) : Json(fetched.source_sha256);
    one["source_bytes"] = fetched.was_there ? Json(nullptr) : Json(fetched.source_bytes);
    const bool checked = fetched.checked_by != PublishedDigest::Kind::none;
    one["checked_by"] = checked ? Json(kind_name(fetched.checked_by)) : Json(nullptr);
    result["networks"].push_back(std::move(one));
  }
  return result;
}

struct FetchChoice {
  std::vector<std::string> names;
  std::string catalogue, from, address;
  FetchOptions options;
  PrintingOptions printing;
};

bool parse(const Arguments& arguments, FetchChoice& choice) {
  CommandLine line("weights fetch",
                   "Published weights into the weight folder ($BLINDSPOT_WEIGHTS, else the XDG data folder): "
                   "downloaded, held against their SHA-256, converted to safetensors. What was interrupted goes on "
                   "where it ended. Proxies are those of https_proxy, http_proxy and no_proxy; with $BLINDSPOT_MIRROR, "
                   "MIRROR/HOST/PATH is asked instead of https://HOST/PATH.",
                   "blindspot weights fetch resnet50.a1_in1k\n"
                   "blindspot weights fetch cifar10-resnet20 --from resnet20-12fca82f.th");
  line.arguments("NAME", choice.names, "Names as weights list shows them");
  line.option("--from", "FILE", "The published file, downloaded already; it stays as it is", choice.from);
  line.option("--address", "URL", "Where to get it instead of the catalogue's address", choice.address);
  line.flag("--overwrite", "Get it anew although it is there", choice.options.overwrite);
  line.flag("--keep-original", "Keep the published file beside the converted one", choice.options.keep_original);
  line.option("--stall", "SECONDS", "Give up a connection that sends nothing for so long (30)",
              [&choice](const std::string& text) {
                choice.options.stall = std::chrono::seconds(read_count("--stall", text, 1, 86400));
              });
  line.option("--retries", "N", "Attempts that may fail in a row before it is given up (4)",
              [&choice](const std::string& text) {
                choice.options.retries = static_cast<int>(read_count("--retries", text, 0, 1000));
              });
  add_catalogue_option(line, choice.catalogue);
  add_printing_options(line, choice.printing);
  if (!line.parse(arguments)) return false;
  for (const auto& [option, value] : {std::pair{"--from", choice.from}, std::pair{"--address", choice.address}}) {
    if (!value.empty() && choice.names.size() != 1) {
      throw Error(ErrorKind::usage, fmt::format("{}: goes with one NAME", option));
    }
  }
  if (!choice.from.empty() && !choice.address.empty()) {
    throw Error(ErrorKind::usage, "--from and --address exclude each other");
  }
  choice.options.from = choice.from;
  choice.options.address = choice.address;
  if (const char* mirror = std::getenv("BLINDSPOT_MIRROR")) choice.options.mirror = mirror;
  return true;
}

/// With a display that is gone when the result is printed.
FetchedWeights fetch(const CatalogueEntry& entry, const FetchChoice& choice) {
  ProgressDisplay display(choice.printing.quiet);
  FetchOptions options = choice.options;
  options.progress = [&](const FetchProgress& progress) { display.show(entry.name, progress); };
  options.message = [&](const std::string& text) { display.message(text); };
  return fetch_weights(entry, options);
}

}  // namespace

int run_weights_fetch(const Arguments& arguments, const StopSignals& stop) {
  FetchChoice choice;
  if (!parse(arguments, choice)) return 0;
  const Catalogue catalogue = opened_catalogue(choice.catalogue);
  std::vector<NamedFetch> all;
  for (const std::string& name : choice.names) all.push_back({&entry_named(catalogue, name), {}});
  choice.options.cancelled = stop.cancelled();
  for (NamedFetch& named : all) {
    named.fetched = fetch(*named.entry, choice);
    // Each is said when it is done: a later one may fail.
    if (!choice.printing.json) print(fetch_line(named));
  }
  if (choice.printing.json) print(to_text(fetch_json(all)));
  return 0;
}

}  // namespace blindspot::tools
