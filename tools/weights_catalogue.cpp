// `blindspot weights list|verify`: what the catalogue has, what of it is in the weight folder, and whether that is what
// it says. Uses the public headers and the shared pieces of tools/.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "tools/json_output.h"
#include "tools/near_miss.h"
#include "tools/options.h"
#include "tools/weights_commands.h"

namespace blindspot::tools {

namespace {

/// A file that is not what it says, or was asked for and is absent.
constexpr int does_not_match = 3;

Json text_or_null(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

Json entry_json(const CatalogueEntry& entry, const std::filesystem::path& folder) {
  Json result = Json::object();
  result["name"] = entry.name;
  result["aliases"] = entry.aliases;
  result["architecture"] = text_or_null(entry.architecture);
  result["address"] = text_or_null(entry.address);
  result["form"] = entry.form;
  result["digest"] = {{"kind", kind_name(entry.digest.kind)}, {"digits", text_or_null(entry.digest.digits)}};
  result["size_bytes"] = entry.size_bytes ? Json(*entry.size_bytes) : Json(nullptr);
  result["license"] = text_or_null(entry.license);
  result["preprocessing"] = entry.preprocessing ? to_json(*entry.preprocessing) : Json(nullptr);
  result["classes"] = text_or_null(entry.classes);
  result["companions"] = entry.companions;
  result["verified"] = entry.verified;
  result["note"] = text_or_null(entry.note);
  result["path"] = text_or_null(find_weights(folder, entry.name).string());
  return result;
}

/// Rows of text with columns as wide as their widest.
template <std::size_t columns>
std::string table_text(const std::vector<std::array<std::string, columns>>& rows) {
  std::array<std::size_t, columns> widths{};
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < columns; ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t c = 0; c + 1 < columns; ++c) text += fmt::format("{:<{}}  ", row[c], widths[c]);
    text += row[columns - 1] + "\n";
  }
  return text;
}

std::string list_text(const Catalogue& catalogue, const std::filesystem::path& folder) {
  std::vector<std::array<std::string, 6>> rows{{"name", "architecture", "size", "licence", "verified", "here"}};
  const auto or_dash = [](const std::string& text) { return text.empty() ? std::string("-") : text; };
  for (const CatalogueEntry& entry : catalogue.entries()) {
    const bool here = !find_weights(folder, entry.name).empty();
    rows.push_back({entry.name, or_dash(entry.architecture), bytes_text(entry.size_bytes), or_dash(entry.license),
                    entry.verified ? "yes" : "no", here ? "yes" : (entry.address.empty() ? "to be brought" : "no")});
  }
  return table_text(rows);
}

std::string state_text(WeightCheck::State state) {
  switch (state) {
    case WeightCheck::State::good:
      return "ok";
    case WeightCheck::State::different:
      return "does not match";
    case WeightCheck::State::unknown:
      return "cannot be told";
    case WeightCheck::State::absent:
      break;
  }
  return "not there";
}

struct NamedCheck {
  std::string name;
  WeightCheck check;
};

Json checks_json(const std::vector<NamedCheck>& checks, const std::filesystem::path& folder, bool good) {
  Json result = document("weights-verify");
  result["folder"] = folder.string();
  result["good"] = good;
  result["networks"] = Json::array();
  for (const auto& [name, check] : checks) {
    Json entry = Json::object();
    entry["name"] = name;
    entry["state"] = state_text(check.state);
    entry["detail"] = text_or_null(check.detail);
    entry["path"] = text_or_null(check.path.string());
    entry["source_sha256"] = text_or_null(check.source_sha256);
    entry["weights_sha256"] = text_or_null(check.weights_sha256);
    result["networks"].push_back(std::move(entry));
  }
  return result;
}

std::string checks_text(const std::vector<NamedCheck>& checks, const std::filesystem::path& folder) {
  if (checks.empty()) return fmt::format("{}: nothing of the catalogue is there\n", folder.string());
  std::string text;
  for (const auto& [name, check] : checks) {
    text += fmt::format("{}: {}{}\n", name, state_text(check.state),
                        check.detail.empty() ? "" : fmt::format("; {}", check.detail));
  }
  return text;
}

}  // namespace

void add_catalogue_option(CommandLine& line, std::string& file) {
  line.option("--catalogue", "FILE", "A catalogue of your own instead of the built-in one", file);
}

Catalogue opened_catalogue(const std::string& file) {
  return file.empty() ? Catalogue::built_in() : Catalogue::read(file);
}

const CatalogueEntry& entry_named(const Catalogue& catalogue, const std::string& name) {
  if (const CatalogueEntry* entry = catalogue.find(name)) return *entry;
  std::vector<std::string> names;
  for (const CatalogueEntry& entry : catalogue.entries()) {
    names.push_back(entry.name);
    names.insert(names.end(), entry.aliases.begin(), entry.aliases.end());
  }
  throw Error(ErrorKind::usage, fmt::format("{}: the catalogue has no such network{}; blindspot weights list shows all",
                                            name, near_miss(name, names)));
}

std::string kind_name(PublishedDigest::Kind kind) {
  switch (kind) {
    case PublishedDigest::Kind::sha256:
      return "sha256";
    case PublishedDigest::Kind::prefix:
      return "prefix";
    case PublishedDigest::Kind::announced:
      return "announced";
    case PublishedDigest::Kind::none:
      break;
  }
  return "none";
}

std::string bytes_text(std::optional<std::uint64_t> bytes) {
  if (!bytes) return "-";
  const auto size = static_cast<double>(*bytes);
  if (size < 1e6) return fmt::format("{:.1f} kB", size / 1e3);
  if (size < 1e9) return fmt::format("{:.1f} MB", size / 1e6);
  return fmt::format("{:.2f} GB", size / 1e9);
}

int run_weights_list(const Arguments& arguments, const StopSignals& /*stop*/) {
  std::string file;
  PrintingOptions printing;
  CommandLine line("weights list",
                   "The published networks that can be fetched by name: `verified` says that a copy of the published "
                   "file has been seen whole, `here` that it is in the weight folder.",
                   "blindspot weights list");
  add_catalogue_option(line, file);
  add_printing_options(line, printing);
  if (!line.parse(arguments)) return 0;
  const Catalogue catalogue = opened_catalogue(file);
  const std::filesystem::path folder = weight_folder();
  if (!printing.json) {
    print(list_text(catalogue, folder));
    return 0;
  }
  Json result = document("weights-list");
  result["folder"] = folder.string();
  result["networks"] = Json::array();
  for (const CatalogueEntry& entry : catalogue.entries()) result["networks"].push_back(entry_json(entry, folder));
  print(to_text(result));
  return 0;
}

int run_weights_verify(const Arguments& arguments, const StopSignals& stop) {
  std::string file;
  std::vector<std::string> names;
  PrintingOptions printing;
  CommandLine line("weights verify",
                   "Whether networks in the weight folder are what they say: a published file by the catalogue's "
                   "SHA-256, a converted one by the SHA-256 of its tensors and of its source. Without NAME: all that "
                   "are there.",
                   "blindspot weights verify resnet50.a1_in1k");
  line.arguments("NAME", names, "Names as weights list shows them", Need::optional);
  add_catalogue_option(line, file);
  add_printing_options(line, printing);
  if (!line.parse(arguments)) return 0;
  const Catalogue catalogue = opened_catalogue(file);
  const std::filesystem::path folder = weight_folder();
  std::vector<const CatalogueEntry*> entries;
  entries.reserve(names.size());
  for (const std::string& name : names) entries.push_back(&entry_named(catalogue, name));
  if (names.empty()) {
    for (const CatalogueEntry& entry : catalogue.entries()) {
      if (!find_weights(folder, entry.name).empty()) entries.push_back(&entry);
    }
  }
  std::vector<NamedCheck> checks;
  checks.reserve(entries.size());
  for (const CatalogueEntry* entry : entries) {
    checks.push_back({entry->name, check_weights(*entry, folder, stop.cancelled())});
  }
  const bool good = std::none_of(checks.begin(), checks.end(), [](const NamedCheck& named) {
    return named.check.state == WeightCheck::State::different || named.check.state == WeightCheck::State::absent;
  });
  print(printing.json ? to_text(checks_json(checks, folder, good)) : checks_text(checks, folder));
  return good ? 0 : does_not_match;
}

}  // namespace blindspot::tools
