// Implementation of run_settings.h.
#include "engine/evaluation/run_settings.h"

#include <fmt/format.h>

#include <charconv>

#include "blindspot/error.h"

namespace blindspot::evaluation {

namespace {

[[noreturn]] void refuse_setting(const std::string& name, const std::string& database) {
  throw Error(ErrorKind::input, fmt::format("{}: its setting {} is missing or damaged", database, name));
}

/// Reads the whole text or throws Error(input).
template <typename Value>
Value read(const Settings& settings, const std::string& name, const std::string& database) {
  const auto found = settings.find(name);
  Value value{};
  if (found != settings.end()) {
    const std::string& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return value;
  }
  refuse_setting(name, database);
}

/// Named where it is 1 alone: without widths a run is what earlier programs, which knew none, made of it.
constexpr const char* width_setting = "width";

/// What a message calls a setting: the option, but for what no option sets.
std::string option_of(const std::string& name) {
  if (name == "version" || name == "libraries" || name == "hull_divisions") return name;
  if (name == "lpips_sha256") return "--lpips of SHA-256";
  std::string option = "--" + name;
  for (char& letter : option) {
    if (letter == '_') letter = '-';
  }
  return option;
}

}  // namespace

Settings settings_of(const EvaluationParameters& parameters, const std::string& lpips_sha256) {
  const WalkParameters& walk = parameters.walk;
  Settings settings{{"version", std::string(version())},
                    {"libraries", version_details()},
                    {"step_size", fmt::format("{}", walk.step_size)},
                    {"iterations", fmt::format("{}", walk.iterations)},
                    {"delta", fmt::format("{}", walk.delta)},
                    {"adversarial", walk.adversarial ? "1" : "0"},
                    {"adversarial_step", fmt::format("{}", walk.adversarial_step)},
                    {"seed", fmt::format("{}", walk.seed)},
                    {"record_every", fmt::format("{}", walk.record_every)},
                    {"mode", walk.mode == WalkMode::reference ? "reference" : "default"},
                    {"rounds", fmt::format("{}", parameters.rounds)},
                    {"limit", fmt::format("{}", parameters.limit)},
                    {"detailed_pairs", fmt::format("{}", parameters.detailed_pairs)},
                    {"hull_divisions", fmt::format("{}", parameters.hull_divisions)},
                    {"lpips_sha256", lpips_sha256}};
  if (parameters.width) settings.emplace(width_setting, "1");
  return settings;
}

bool measures_widths(const Settings& settings) {
  return settings.contains(width_setting);
}

EvaluationParameters parameters_from(const Settings& settings, const std::string& database) {
  EvaluationParameters parameters;
  WalkParameters& walk = parameters.walk;
  walk.step_size = read<float>(settings, "step_size", database);
  walk.iterations = read<std::int64_t>(settings, "iterations", database);
  walk.delta = read<float>(settings, "delta", database);
  walk.adversarial = read<int>(settings, "adversarial", database) != 0;
  walk.adversarial_step = read<float>(settings, "adversarial_step", database);
  walk.seed = read<std::uint64_t>(settings, "seed", database);
  walk.record_every = read<std::int64_t>(settings, "record_every", database);
  const auto mode = settings.find("mode");
  walk.mode = mode != settings.end() && mode->second == "reference" ? WalkMode::reference : WalkMode::standard;
  parameters.rounds = read<std::int64_t>(settings, "rounds", database);
  parameters.limit = read<std::int64_t>(settings, "limit", database);
  parameters.detailed_pairs = read<std::int64_t>(settings, "detailed_pairs", database);
  parameters.width = measures_widths(settings);
  if (parameters.width && settings.at(width_setting) != "1") refuse_setting(width_setting, database);
  parameters.hull_divisions = read<int>(settings, "hull_divisions", database);
  try {
    parameters.check();
  } catch (const Error& error) {
    // The option that the message names was another run's: here it is a damaged file.
    throw Error(ErrorKind::input, fmt::format("{}: damaged: {}", database, error.what()));
  }
  return parameters;
}

Shard shard_of(const Settings& settings, const std::string& database) {
  const auto found = settings.find("shard");
  if (found == settings.end()) return {};
  try {
    return shard_from(found->second);
  } catch (const Error&) {
    // Whatever stands there instead is not repeated: it may be anything.
    throw Error(ErrorKind::input, fmt::format("{}: damaged: its shard is not i/n", database));
  }
}

std::string to_text(const Shard& shard) {
  return fmt::format("{}/{}", shard.number, shard.count);
}

void refuse_differences(const Settings& recorded, const Settings& wanted, const std::string& database) {
  Settings all = wanted;
  all.emplace(width_setting, "0");
  for (const auto& [name, value] : all) {
    const auto found = recorded.find(name);
    const std::string none = name == width_setting ? "0" : "nothing";
    const std::string before = found == recorded.end() ? none : found->second;
    if (before == value) continue;
    throw Error(ErrorKind::usage,
                fmt::format("{} {}: {} was begun with {}; give the same, or name another database", option_of(name),
                            value.empty() ? "none" : value, database, before.empty() ? "none" : before));
  }
}

}  // namespace blindspot::evaluation

namespace blindspot {

Shard shard_from(const std::string& text) {
  Shard shard{0, 0};
  const char* const end = text.data() + text.size();
  const auto number = std::from_chars(text.data(), end, shard.number);
  if (number.ec == std::errc() && number.ptr != end && *number.ptr == '/') {
    const auto count = std::from_chars(number.ptr + 1, end, shard.count);
    if (count.ec == std::errc() && count.ptr == end && shard.number >= 1 && shard.number <= shard.count) return shard;
  }
  throw Error(ErrorKind::usage, fmt::format("--shard {}: must be i/n, a whole number from 1 to n of n parts", text));
}

}  // namespace blindspot
