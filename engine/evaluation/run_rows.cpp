// Implementation of run_rows.h.
#include "engine/evaluation/run_rows.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "blindspot/one_line.h"
#include "engine/evaluation/schema.h"
#include "engine/preprocessing_json.h"
#include "engine/small_json.h"

namespace blindspot::evaluation {

namespace {

/// A view or a trigger is a query of the file's own, which may never end; a run has none.
void refuse_programs(Connection& connection) {
  const std::int64_t programs = connection.integer(
      "SELECT count(*) FROM sqlite_master WHERE type IN ('view', 'trigger') OR sql LIKE 'CREATE VIRTUAL%'");
  if (programs == 0) return;
  throw Error(ErrorKind::input,
              fmt::format("{}: damaged: it holds views or triggers, which no run database has; take a copy of the file "
                          "or begin anew",
                          connection.name()));
}

/// Runs from before the settings held the version are read as the file has it.
void check_version(Connection& connection, std::int64_t version) {
  const Settings settings = read_settings(connection);
  const auto recorded = settings.find(schema_setting);
  if (recorded == settings.end() || recorded->second == fmt::format("{}", version)) return;
  throw Error(
      ErrorKind::input,
      fmt::format(
          "{}: damaged: the version of its schema, {}, and its setting {}, {}, do not agree; take a copy of the "
          "file or begin anew",
          connection.name(), version, schema_setting, one_line(recorded->second)));
}

/// The schema's version, the setting and the table go together.
void check_widths(Connection& connection) {
  const bool by_version = holds_widths(connection);
  const bool by_setting = measures_widths(read_settings(connection));
  const std::int64_t tables =
      connection.integer("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'widths'");
  if (by_version == by_setting && by_version == (tables == 1)) return;
  throw Error(ErrorKind::input,
              fmt::format("{}: damaged: its schema version, its setting width and its table of path widths do not "
                          "agree; take a copy of the file or begin anew",
                          connection.name()));
}

}  // namespace

bool holds_run(Connection& connection) {
  const std::int64_t application = connection.integer("PRAGMA application_id");
  const std::int64_t version = connection.integer("PRAGMA user_version");
  if (application != application_id) {
    if (application == 0 && connection.integer("SELECT count(*) FROM sqlite_master") == 0) return false;
    throw Error(ErrorKind::input,
                fmt::format("{}: is a database of another program; name another file", connection.name()));
  }
  if (version > schema_version) {
    throw Error(ErrorKind::input,
                fmt::format("{}: was written by a newer blindspot (schema {}, this one knows {}); use that version",
                            connection.name(), version, schema_version));
  }
  if (version < 1) throw Error(ErrorKind::input, fmt::format("{}: has no schema version", connection.name()));
  refuse_programs(connection);
  check_version(connection, version);
  check_widths(connection);
  return true;
}

bool holds_widths(Connection& connection) {
  return connection.integer("PRAGMA user_version") > schema_version_without_widths;
}

void check_number(const Connection& connection, const char* what, std::int64_t number, std::int64_t count) {
  if (number >= 0 && number < count) return;
  throw Error(ErrorKind::input, fmt::format("{}: damaged: {} is number {} of {}; take a copy of the file or begin anew",
                                            connection.name(), what, number, count));
}

std::int64_t count_images(Connection& connection) {
  return connection.integer("SELECT count(*) FROM images");
}

namespace {

/// Rows that come by number have those from 0 on.
void check_position(const Connection& connection, const char* what, std::int64_t number, std::size_t position) {
  if (number == static_cast<std::int64_t>(position)) return;
  throw Error(ErrorKind::input, fmt::format("{}: damaged: {} {} is missing; take a copy of the file or begin anew",
                                            connection.name(), what, position));
}

Precision read_precision(const std::string& text, const std::string& database) {
  try {
    return precision_from(text);
  } catch (const Error&) {
    throw Error(ErrorKind::input, fmt::format("{}: damaged: a network's precision is none that is known", database));
  }
}

}  // namespace

Settings read_settings(Connection& connection) {
  Settings settings;
  Statement rows(connection, "SELECT name, value FROM settings");
  while (rows.step()) settings[rows.text(0)] = rows.text(1);
  return settings;
}

std::vector<EvaluatedModel> read_models(Connection& connection) {
  std::vector<EvaluatedModel> models;
  Statement rows(connection,
                 "SELECT number, name, architecture, sha256, weights_sha256, preprocessing, preprocessing_source, "
                 "classes, class_count, device, device_description, precision, batch, slice, threads FROM models "
                 "ORDER BY number");
  while (rows.step()) {
    EvaluatedModel model;
    ModelInformation& information = model.information;
    model.number = rows.integer(0);
    check_position(connection, "network", model.number, models.size());
    information.name = rows.text(1);
    information.architecture = rows.text(2);
    information.sha256 = rows.text(3);
    information.weights_sha256 = rows.text(4);
    information.preprocessing = preprocessing_from_json(rows.text(5), {}, connection.name());
    information.preprocessing_source = rows.text(6);
    const JsonDocument classes(parse_bounded(rows.text(7), connection.name() + ": a network's classes"));
    for (const nlohmann::json& name : *classes) {
      information.classes.push_back(name.is_string() ? name.get<std::string>() : "");
    }
    information.class_count = rows.integer(8);
    model.device = rows.text(9);
    model.device_description = rows.text(10);
    model.precision = read_precision(rows.text(11), connection.name());
    model.batch = rows.integer(12);
    model.slice = rows.integer(13);
    model.threads = static_cast<int>(rows.integer(14));
    models.push_back(std::move(model));
  }
  return models;
}

std::vector<EvaluatedImage> read_images(Connection& connection) {
  std::vector<EvaluatedImage> images;
  Statement rows(connection, "SELECT number, name, label, sha256 FROM images ORDER BY number");
  while (rows.step()) {
    EvaluatedImage image{rows.integer(0), rows.text(1), std::nullopt, rows.text(3)};
    check_position(connection, "image", image.number, images.size());
    if (!rows.is_null(2)) image.label = static_cast<std::int32_t>(rows.integer(2));
    images.push_back(std::move(image));
  }
  return images;
}

std::vector<std::pair<std::string, std::string>> read_unreadable(Connection& connection) {
  std::vector<std::pair<std::string, std::string>> unreadable;
  Statement rows(connection, "SELECT name, reason FROM unreadable ORDER BY name");
  while (rows.step()) unreadable.emplace_back(rows.text(0), rows.text(1));
  return unreadable;
}

std::vector<EvaluatedInput> read_inputs(Connection& connection, std::int64_t model) {
  std::vector<EvaluatedInput> inputs;
  Statement rows(connection,
                 "SELECT image, predicted, probability, dropped FROM inputs WHERE model = ? ORDER BY image");
  rows.bind(model);
  const std::int64_t images = count_images(connection);
  while (rows.step()) {
    check_number(connection, "the image of an input", rows.integer(0), images);
    inputs.push_back({rows.integer(0), static_cast<std::int32_t>(rows.integer(1)), static_cast<float>(rows.number(2)),
                      rows.text(3)});
  }
  return inputs;
}

std::set<std::int64_t> read_sources_with_hulls(Connection& connection, std::int64_t model) {
  std::set<std::int64_t> sources;
  Statement rows(connection, "SELECT DISTINCT source FROM hulls WHERE model = ?");
  rows.bind(model);
  while (rows.step()) sources.insert(rows.integer(0));
  return sources;
}

namespace {

[[noreturn]] void refuse_width(const Connection& connection, const char* what) {
  throw Error(ErrorKind::input,
              fmt::format("{}: damaged: {}; take a copy of the file or begin anew", connection.name(), what));
}

bool is_confidence(double value) {
  return std::isnan(value) || (value >= 0 && value <= 1);
}

/// Pairs and their records in the order in which the rows of widths come.
class RecordsInOrder {
 public:
  RecordsInOrder(const Connection& connection, std::vector<EvaluatedPair>& pairs)
      : connection_(connection), pairs_(pairs) {}

  /// Of a row that comes after those asked for before.
  std::vector<WidthRadius>& width_at(std::int64_t source, std::int64_t round, std::int64_t iteration) {
    for (; pair_ < pairs_.size(); ++pair_, record_ = 0) {
      EvaluatedPair& pair = pairs_[pair_];
      if (pair.source != source || pair.round != round) continue;
      for (; record_ < pair.records.size(); ++record_) {
        if (pair.records[record_].iteration == iteration) return pair.records[record_].width;
      }
    }
    refuse_width(connection_, "a path width belongs to no record");
  }

 private:
  const Connection& connection_;
  std::vector<EvaluatedPair>& pairs_;
  std::size_t pair_ = 0, record_ = 0;
};

}  // namespace

void read_widths(Connection& connection, std::int64_t model, std::vector<EvaluatedPair>& pairs) {
  Statement rows(connection,
                 "SELECT source, round, iteration, radius, q05, q95 FROM widths WHERE model = ? "
                 "ORDER BY source, round, iteration, radius");
  rows.bind(model);
  RecordsInOrder records(connection, pairs);
  while (rows.step()) {
    std::vector<WidthRadius>& width = records.width_at(rows.integer(0), rows.integer(1), rows.integer(2));
    const WidthRadius row{rows.number(3), rows.number(4), rows.number(5)};
    const bool follows = width.empty() ? row.radius == 0 : row.radius > width.back().radius;
    if (!follows || !std::isfinite(row.radius)) {
      refuse_width(connection, "the distances of a path width are not 0 and larger ones");
    }
    if (!is_confidence(row.q05) || !is_confidence(row.q95)) {
      refuse_width(connection, "a path width has a confidence that is not from 0 to 1");
    }
    width.push_back(row);
  }
}

namespace {

const std::map<std::string, std::string>& keys() {
  static const std::map<std::string, std::string> keys{{"settings", "name"},
                                                       {"images", "number"},
                                                       {"unreadable", "name"},
                                                       {"models", "number"},
                                                       {"inputs", "model, image"},
                                                       {"pairs", "model, source, round"},
                                                       {"records", "model, source, round, iteration"},
                                                       {"widths", "model, source, round, iteration, radius"},
                                                       {"finals", "model, source, round"},
                                                       {"hulls", "model, source, first_round, second_round"}};
  return keys;
}

}  // namespace

std::vector<std::string> table_names(Connection& connection) {
  std::vector<std::string> names{"settings", "images", "unreadable", "models", "inputs"};
  const std::vector<std::string> results = tables_of_results(connection);
  names.insert(names.end(), results.begin(), results.end());
  return names;
}

std::vector<std::string> tables_of_results(Connection& connection) {
  if (holds_widths(connection)) return {"pairs", "records", "widths", "finals", "hulls"};
  return {"pairs", "records", "finals", "hulls"};
}

std::string key_of(const std::string& table) {
  return keys().at(table);
}

}  // namespace blindspot::evaluation
