// The rows of a run database as values: what the reader and the writer have in common. Sees sqlite.h and evaluation.h
// of the public interface.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "blindspot/evaluation.h"
#include "engine/evaluation/run_settings.h"
#include "engine/evaluation/sqlite.h"

namespace blindspot::evaluation {

/// False for a file in which nothing has begun yet. Throws Error(input) for another program's database, a newer schema,
/// and one that is not what the file's own settings say.
bool holds_run(Connection& connection);

/// Whether it is one that has the table of widths.
bool holds_widths(Connection& connection);

/// Throws Error(input) unless 0 ≤ number < count; `what` names the row that holds it: "a pair's target".
void check_number(const Connection& connection, const char* what, std::int64_t number, std::int64_t count);
/// How many images there are; read_images() makes sure that they are numbered from 0 on.
std::int64_t count_images(Connection& connection);

/// Rows are numbered from 0 on, and images that others name are there; else Error(input).
Settings read_settings(Connection& connection);
std::vector<EvaluatedModel> read_models(Connection& connection);
std::vector<EvaluatedImage> read_images(Connection& connection);
std::vector<std::pair<std::string, std::string>> read_unreadable(Connection& connection);
std::vector<EvaluatedInput> read_inputs(Connection& connection, std::int64_t model);
std::set<std::int64_t> read_sources_with_hulls(Connection& connection, std::int64_t model);
/// Into the records of `pairs`, which are this network's, by source and round. Throws Error(input) for widths that no
/// measuring leaves behind.
void read_widths(Connection& connection, std::int64_t model, std::vector<EvaluatedPair>& pairs);

/// Names of the tables that there are, in the order in which they are filled.
std::vector<std::string> table_names(Connection& connection);
/// Those of them that hold what was walked and measured: of these each shard has rows of its own.
std::vector<std::string> tables_of_results(Connection& connection);
/// The columns that tell a table's rows apart: "model, source, round".
std::string key_of(const std::string& table);

}  // namespace blindspot::evaluation
