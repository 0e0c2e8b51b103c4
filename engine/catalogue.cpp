// Implementation of the public header catalogue.h, but for the check of files: the JSON of a catalogue, read strictly,
// so that a slip in an entry is found by its name and key. Sees small_json.h, networks (their names) and weights.
#include "blindspot/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "engine/networks/architecture.h"
#include "engine/preprocessing_json.h"
#include "engine/small_json.h"
#include "weights/catalogue/embedded.h"

namespace blindspot {

namespace {

using nlohmann::json;

constexpr std::size_t sha256_digits = 64;
constexpr std::size_t fewest_prefix_digits = 8;

/// One object of the catalogue, read key by key; every refusal names the file, the entry and the key.
class EntryReader {
 public:
  EntryReader(const json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) refuse("is not a JSON object");
  }

  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(ErrorKind::input, fmt::format("{}: {}", where_, what));
  }
  const json& value(const std::string& key) const {
    const auto found = object_.find(key);
    if (found == object_.end()) refuse(fmt::format("`{}` is missing", key));
    return *found;
  }
  bool has(const std::string& key) const { return object_.contains(key); }
  std::string text(const std::string& key) const {
    if (!value(key).is_string()) refuse(fmt::format("`{}` is not a text", key));
    return value(key).get<std::string>();
  }
  std::string text_or_none(const std::string& key) const { return value(key).is_null() ? "" : text(key); }
  std::vector<std::string> texts_if_any(const std::string& key) const {
    if (!has(key)) return {};
    std::vector<std::string> result;
    if (!value(key).is_array()) refuse(fmt::format("`{}` is not a list", key));
    for (const json& text : value(key)) {
      if (!text.is_string()) refuse(fmt::format("`{}` is not a list of texts", key));
      result.push_back(text.get<std::string>());
    }
    return result;
  }
  bool flag(const std::string& key) const {
    if (!value(key).is_boolean()) refuse(fmt::format("`{}` is neither true nor false", key));
    return value(key).get<bool>();
  }
  std::optional<std::uint64_t> size_or_none(const std::string& key) const {
    if (value(key).is_null()) return std::nullopt;
    if (!value(key).is_number_unsigned() || value(key) == 0) {
      refuse(fmt::format("`{}` is neither null nor a positive number of bytes", key));
    }
    return value(key).get<std::uint64_t>();
  }
  void only(std::span<const std::string_view> known) const {
    for (const auto& item : object_.items()) {
      if (std::find(known.begin(), known.end(), item.key()) == known.end()) {
        refuse(fmt::format("`{}` is no key that is known", item.key()));
      }
    }
  }

 private:
  const json& object_;
  std::string where_;
};

bool is_hexadecimal(std::string_view digits) {
  return std::all_of(digits.begin(), digits.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

/// A name becomes a file's name, so nothing else may stand in it.
bool is_plain_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '_' ||
           c == '-';
  };
  return !name.empty() && name.size() <= 128 && name[0] != '.' && name[0] != '-' &&
         std::all_of(name.begin(), name.end(), plain);
}

PublishedDigest read_digest(const EntryReader& entry) {
  const json& value = entry.value("digest");
  if (value.is_null()) return {};
  using Kind = PublishedDigest::Kind;
  if (value.is_object() && value.size() == 1 && value.contains("announced") && value["announced"] == true)
    return {Kind::announced, ""};
  for (const auto& [key, kind] : {std::pair{"sha256", Kind::sha256}, std::pair{"prefix", Kind::prefix}}) {
    if (!value.is_object() || value.size() != 1 || !value.contains(key) || !value[key].is_string()) continue;
    std::string digits = value[key].get<std::string>();
    const bool long_enough = kind == Kind::sha256
                                 ? digits.size() == sha256_digits
                                 : digits.size() >= fewest_prefix_digits && digits.size() < sha256_digits;
    if (!long_enough || !is_hexadecimal(digits)) {
      entry.refuse(fmt::format("`digest`: `{}` is not made of {} lower-case hexadecimal digits", key,
                               kind == Kind::sha256 ? "64" : "8 to 63"));
    }
    return {kind, std::move(digits)};
  }
  entry.refuse(R"(`digest` is neither null nor one of {"sha256": …}, {"prefix": …}, {"announced": true})");
}

std::string read_address(const EntryReader& entry) {
  std::string address = entry.text_or_none("address");
  if (address.empty()) return address;
  const bool web = address.starts_with("https://") || address.starts_with("http://");
  const bool plain = std::all_of(address.begin(), address.end(), [](char c) { return c > ' ' && c < '\x7f'; });
  if (!web || !plain || address.find('@') != std::string::npos) {
    entry.refuse("`address` is not an address of http or https without blanks and user names");
  }
  return address;
}

std::map<std::string, Preprocessing> read_preprocessings(const json& document, const std::string& file) {
  std::map<std::string, Preprocessing> result;
  const json& named = EntryReader(document, file).value("preprocessing");
  const EntryReader all(named, fmt::format("{}: `preprocessing`", file));
  for (const auto& item : named.items()) {
    const std::string where = fmt::format("{}: `preprocessing` \"{}\"", file, item.key());
    const EntryReader one(item.value(), where);
    constexpr std::array<std::string_view, 6> keys{"input_size", "resize", "interpolation", "crop", "mean", "std"};
    one.only(keys);
    for (const std::string_view key : keys) one.value(std::string(key));
    result[item.key()] = preprocessing_from_json(item.value().dump(), {}, where);
  }
  return result;
}

CatalogueEntry read_entry(const json& object, const std::map<std::string, Preprocessing>& preprocessings,
                          const std::string& file, std::size_t index) {
  const std::string name = object.is_object() && object.contains("name") && object["name"].is_string()
                               ? object["name"].get<std::string>()
                               : "";
  const EntryReader reader(object, name.empty() ? fmt::format("{}: entry {}", file, index + 1)
                                                : fmt::format("{}: entry \"{}\"", file, name));
  constexpr std::array<std::string_view, 13> keys{"name",       "aliases",  "architecture", "address",       "form",
                                                  "digest",     "size",     "license",      "preprocessing", "classes",
                                                  "companions", "verified", "note"};
  reader.only(keys);
  CatalogueEntry entry;
  entry.name = reader.text("name");
  if (!is_plain_name(name)) reader.refuse("`name` is not made of letters, digits, `.`, `_` and `-`");
  entry.aliases = reader.texts_if_any("aliases");
  entry.architecture = reader.text_or_none("architecture");
  if (!entry.architecture.empty()) {
    try {
      architecture_named(entry.architecture);
    } catch (const Error&) {
      reader.refuse(fmt::format("`architecture` \"{}\" is none that is known", entry.architecture));
    }
  }
  entry.address = read_address(reader);
  entry.form = reader.text("form");
  if (entry.form != "pytorch" && entry.form != "safetensors") {
    reader.refuse(R"(`form` is neither "pytorch" nor "safetensors")");
  }
  entry.digest = read_digest(reader);
  entry.size_bytes = reader.size_or_none("size");
  entry.license = reader.text_or_none("license");
  if (const std::string key = reader.text_or_none("preprocessing"); !key.empty()) {
    const auto found = preprocessings.find(key);
    if (found == preprocessings.end()) {
      reader.refuse(fmt::format("`preprocessing` \"{}\" is none of those that the file has", key));
    }
    entry.preprocessing = found->second;
  }
  if (entry.preprocessing.has_value() == entry.architecture.empty()) {
    reader.refuse("`architecture` and `preprocessing` are both given or both null");
  }
  entry.classes = reader.text_or_none("classes");
  if (!entry.classes.empty() && weights::embedded_class_names(entry.classes).empty()) {
    reader.refuse(fmt::format(R"(`classes` "{}" is neither "imagenet" nor "cifar10")", entry.classes));
  }
  entry.companions = reader.texts_if_any("companions");
  entry.verified = reader.flag("verified");
  if (entry.verified && entry.digest.kind != PublishedDigest::Kind::sha256) {
    reader.refuse("`verified` is true without a whole `sha256`");
  }
  if (reader.has("note")) entry.note = reader.text("note");
  return entry;
}

std::vector<CatalogueEntry> read_entries(const json& document, const std::string& file) {
  const EntryReader whole(document, file);
  constexpr std::array<std::string_view, 3> keys{"schema", "preprocessing", "entries"};
  whole.only(keys);
  if (whole.text("schema") != "blindspot/catalogue/1") whole.refuse(R"(`schema` is not "blindspot/catalogue/1")");
  const std::map<std::string, Preprocessing> preprocessings = read_preprocessings(document, file);
  if (!whole.value("entries").is_array()) whole.refuse("`entries` is not a list");
  std::vector<CatalogueEntry> entries;
  std::set<std::string> names;
  for (const json& object : document["entries"]) {
    entries.push_back(read_entry(object, preprocessings, file, entries.size()));
    std::vector<std::string> own = entries.back().aliases;
    own.push_back(entries.back().name);
    for (const std::string& name : own) {
      if (names.insert(name).second) continue;
      throw Error(ErrorKind::input,
                  fmt::format("{}: entry \"{}\": the name {} is taken", file, entries.back().name, name));
    }
  }
  return entries;
}

}  // namespace

const Catalogue& Catalogue::built_in() {
  static const Catalogue catalogue = [] {
    const std::string file = "the built-in catalogue";
    const JsonDocument document(parse_bounded(weights::embedded_catalogue(), file));
    return Catalogue(read_entries(*document, file));
  }();
  return catalogue;
}

Catalogue Catalogue::read(const std::filesystem::path& path) {
  const JsonDocument document(read_small_json_file(path));
  return Catalogue(read_entries(*document, path.string()));
}

const CatalogueEntry* Catalogue::find(std::string_view name) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const CatalogueEntry& entry) {
    return entry.name == name || std::find(entry.aliases.begin(), entry.aliases.end(), name) != entry.aliases.end();
  });
  return found == entries_.end() ? nullptr : &*found;
}

const CatalogueEntry* Catalogue::find_sha256(std::string_view sha256) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const CatalogueEntry& entry) {
    return !entry.digest.digits.empty() && sha256.starts_with(entry.digest.digits);
  });
  return found == entries_.end() ? nullptr : &*found;
}

std::vector<std::string> class_list(std::string_view name) {
  std::vector<std::string> result;
  std::string_view rest = weights::embedded_class_names(name);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    result.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return result;
}

}  // namespace blindspot
