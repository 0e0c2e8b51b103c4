// Implementation of run_store.h.
#include "engine/evaluation/run_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engine/evaluation/schema.h"
#include "engine/preprocessing_json.h"

namespace blindspot::evaluation {

namespace {

double number(float value) {
  return static_cast<double>(value);
}

std::int64_t whole(std::int32_t value) {
  return static_cast<std::int64_t>(value);
}

std::string json_text(const std::vector<std::string>& words) {
  return nlohmann::json(words).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void insert_pair(Connection& connection, const StoredPair& stored) {
  const EvaluatedPair& pair = stored.pair;
  Statement row(connection, "INSERT INTO pairs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  row.bind(pair.model).bind(pair.source).bind(pair.round).bind(pair.target);
  row.bind(whole(pair.source_class)).bind(whole(pair.target_class));
  row.bind(number(pair.source_probability)).bind(number(pair.target_image_probability));
  row.bind(number(pair.start_probability)).bind(number(pair.probability)).bind(number(pair.target_probability));
  row.bind(number(pair.probability_8bit)).bind(static_cast<std::int64_t>(pair.outside ? 1 : 0));
  row.bind(pair.accepted).bind(pair.rejected).bind(pair.l2).bind(pair.rmse).bind(pair.linf);
  row.bind(pair.ssim).bind(pair.lpips).bind(std::as_bytes(std::span(stored.final_png))).run();
}

void insert_records(Connection& connection, const StoredPair& stored) {
  const EvaluatedPair& pair = stored.pair;
  Statement row(connection, "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)");
  for (std::size_t i = 0; i < pair.records.size(); ++i) {
    const EvaluatedRecord& record = pair.records[i];
    row.bind(pair.model).bind(pair.source).bind(pair.round).bind(record.iteration);
    row.bind(number(record.probability)).bind(number(record.target_probability));
    if (record.has_picture) {
      row.bind(std::as_bytes(std::span(stored.record_pngs.at(i))));
    } else {
      row.bind_null();
    }
    row.run();
  }
}

void insert_widths(Connection& connection, const EvaluatedPair& pair) {
  Statement row(connection, "INSERT INTO widths VALUES (?, ?, ?, ?, ?, ?, ?)");
  for (const EvaluatedRecord& record : pair.records) {
    for (const WidthRadius& radius : record.width) {
      row.bind(pair.model).bind(pair.source).bind(pair.round).bind(record.iteration);
      row.bind(radius.radius).bind(radius.q05).bind(radius.q95).run();
    }
  }
}

bool has_width(const EvaluatedPair& pair) {
  return std::any_of(pair.records.begin(), pair.records.end(),
                     [](const EvaluatedRecord& record) { return !record.width.empty(); });
}

}  // namespace

RunStore::RunStore(const std::filesystem::path& path) : lock_(path), connection_(path, Access::write) {
  begun_ = holds_run(connection_);
  if (begun_) connection_.execute("PRAGMA synchronous = NORMAL");
}

void RunStore::begin(const Settings& settings, const std::vector<EvaluatedImage>& images,
                     const std::vector<std::pair<std::string, std::string>>& unreadable) {
  connection_.execute("PRAGMA journal_mode = WAL");
  connection_.execute("PRAGMA synchronous = NORMAL");
  Transaction transaction(connection_);
  const bool widths = measures_widths(settings);
  const std::int32_t version = widths ? schema_version : schema_version_without_widths;
  connection_.execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {};", application_id, version));
  connection_.execute(schema);
  if (widths) connection_.execute(schema_of_widths);
  Statement setting(connection_, "INSERT INTO settings VALUES (?, ?)");
  for (const auto& [name, value] : settings) setting.bind(name).bind(value).run();
  setting.bind(std::string(schema_setting)).bind(fmt::format("{}", version)).run();
  Statement image_row(connection_, "INSERT INTO images VALUES (?, ?, ?, ?)");
  for (const EvaluatedImage& image : images) {
    image_row.bind(image.number).bind(image.name);
    if (image.label) {
      image_row.bind(whole(*image.label));
    } else {
      image_row.bind_null();
    }
    image_row.bind(image.sha256).run();
  }
  Statement unreadable_row(connection_, "INSERT INTO unreadable VALUES (?, ?)");
  for (const auto& [name, reason] : unreadable) unreadable_row.bind(name).bind(reason).run();
  transaction.commit();
  begun_ = true;
}

void RunStore::add_model(const EvaluatedModel& model, const std::vector<EvaluatedInput>& inputs,
                         const std::vector<Png>& pngs) {
  const ModelInformation& information = model.information;
  Transaction transaction(connection_);
  Statement row(connection_, "INSERT INTO models VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  row.bind(model.number).bind(information.name).bind(information.architecture).bind(information.sha256);
  row.bind(information.weights_sha256).bind(preprocessing_to_json(information.preprocessing));
  row.bind(information.preprocessing_source).bind(json_text(information.classes));
  row.bind(information.class_count).bind(model.device).bind(model.device_description);
  row.bind(to_string(model.precision)).bind(model.batch).bind(model.slice);
  row.bind(static_cast<std::int64_t>(model.threads)).run();
  Statement input_row(connection_, "INSERT INTO inputs VALUES (?, ?, ?, ?, ?, ?)");
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const EvaluatedInput& input = inputs[i];
    input_row.bind(model.number).bind(input.image).bind(whole(input.predicted)).bind(number(input.probability));
    if (input.dropped_reason.empty()) {
      input_row.bind_null();
    } else {
      input_row.bind(input.dropped_reason);
    }
    input_row.bind(std::as_bytes(std::span(pngs.at(i)))).run();
  }
  transaction.commit();
}

void RunStore::add_pair(const StoredPair& stored) {
  const EvaluatedPair& pair = stored.pair;
  Transaction transaction(connection_);
  insert_pair(connection_, stored);
  insert_records(connection_, stored);
  if (has_width(pair)) insert_widths(connection_, pair);
  if (!stored.final_image.values.empty()) {
    Statement row(connection_, "INSERT INTO finals VALUES (?, ?, ?, ?)");
    row.bind(pair.model).bind(pair.source).bind(pair.round);
    row.bind(std::as_bytes(std::span(stored.final_image.values))).run();
  }
  transaction.commit();
}

void RunStore::add_hulls(const std::vector<EvaluatedHull>& hulls) {
  if (hulls.empty()) return;
  Transaction transaction(connection_);
  Statement row(connection_, "INSERT INTO hulls VALUES (?, ?, ?, ?, ?)");
  for (const EvaluatedHull& hull : hulls) {
    row.bind(hull.model).bind(hull.source).bind(hull.first_round).bind(hull.second_round);
    row.bind(std::as_bytes(std::span(hull.probabilities))).run();
  }
  Statement finals(connection_, "DELETE FROM finals WHERE model = ? AND source = ?");
  finals.bind(hulls.front().model).bind(hulls.front().source).run();
  transaction.commit();
}

std::set<PairKey> RunStore::finished_pairs(std::int64_t model) {
  std::set<PairKey> finished;
  Statement rows(connection_, "SELECT source, round FROM pairs WHERE model = ?");
  rows.bind(model);
  while (rows.step()) finished.emplace(rows.integer(0), rows.integer(1));
  return finished;
}

std::set<std::int64_t> RunStore::sources_with_hulls(std::int64_t model) {
  return read_sources_with_hulls(connection_, model);
}

std::map<PairKey, Image> RunStore::final_images(std::int64_t model, int height, int width) {
  std::map<PairKey, Image> images;
  Statement rows(connection_, "SELECT source, round, image FROM finals WHERE model = ?");
  rows.bind(model);
  while (rows.step()) {
    Image image{height, width, rows.floats(2)};
    if (image.values.size() != std::size_t{3} * static_cast<std::size_t>(height) * static_cast<std::size_t>(width)) {
      throw Error(ErrorKind::input, fmt::format("{}: a final image has the wrong size; the file is damaged", name()));
    }
    images.emplace(PairKey{rows.integer(0), rows.integer(1)}, std::move(image));
  }
  return images;
}

}  // namespace blindspot::evaluation
