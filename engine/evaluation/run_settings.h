// The parameters of a run as named texts, as the database keeps them, and their comparison when a run is resumed or
// joined. Sees evaluation.h of the public interface.
#pragma once

#include <map>
#include <string>

#include "blindspot/evaluation.h"

namespace blindspot::evaluation {

using Settings = std::map<std::string, std::string>;

/// Everything but the shard: what all shards have in common.
Settings settings_of(const EvaluationParameters& parameters, const std::string& lpips_sha256);
/// Throws Error(input) naming `database` for settings that are missing, unreadable or out of range.
EvaluationParameters parameters_from(const Settings& settings, const std::string& database);

/// The whole where none is recorded; the same Error.
Shard shard_of(const Settings& settings, const std::string& database);

std::string to_text(const Shard& shard);  ///< "2/4"

/// Whether path widths are a part of the run; only then is there a setting that says so.
bool measures_widths(const Settings& settings);

/// Throws Error(usage) that names the first setting that differs, and both values.
void refuse_differences(const Settings& recorded, const Settings& wanted, const std::string& database);

}  // namespace blindspot::evaluation
