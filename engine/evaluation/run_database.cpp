// RunDatabase: a run database read again. Sees run_rows.h.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "blindspot/error.h"
#include "blindspot/evaluation.h"
#include "engine/evaluation/run_rows.h"
#include "engine/evaluation/schema.h"
#include "weights/sha256.h"

namespace blindspot {

using evaluation::Access;
using evaluation::Connection;
using evaluation::Statement;
using evaluation::Transaction;

struct RunDatabase::Implementation {
  explicit Implementation(const std::filesystem::path& file) : path(file), connection(file, Access::read) {}

  std::filesystem::path path;
  mutable Connection connection;
};

RunDatabase::RunDatabase(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
RunDatabase::RunDatabase(RunDatabase&&) noexcept = default;
RunDatabase& RunDatabase::operator=(RunDatabase&&) noexcept = default;
RunDatabase::~RunDatabase() = default;

RunDatabase RunDatabase::open(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    throw Error(ErrorKind::input, fmt::format("{}: does not exist", path.string()));
  }
  if (std::filesystem::is_directory(path, error)) {
    throw Error(ErrorKind::input, fmt::format("{}: is a folder; name a run database", path.string()));
  }
  auto implementation = std::make_unique<Implementation>(path);
  if (!evaluation::holds_run(implementation->connection)) {
    throw Error(ErrorKind::input, fmt::format("{}: holds no run; name a run database", path.string()));
  }
  return RunDatabase(std::move(implementation));
}

const std::filesystem::path& RunDatabase::path() const {
  return implementation_->path;
}

std::map<std::string, std::string> RunDatabase::settings() const {
  return evaluation::read_settings(implementation_->connection);
}

EvaluationParameters RunDatabase::parameters() const {
  return evaluation::parameters_from(settings(), implementation_->connection.name());
}

Shard RunDatabase::shard() const {
  return evaluation::shard_of(settings(), implementation_->connection.name());
}

std::vector<EvaluatedModel> RunDatabase::models() const {
  return evaluation::read_models(implementation_->connection);
}

std::vector<EvaluatedImage> RunDatabase::images() const {
  return evaluation::read_images(implementation_->connection);
}

std::vector<std::pair<std::string, std::string>> RunDatabase::unreadable() const {
  return evaluation::read_unreadable(implementation_->connection);
}

std::vector<EvaluatedInput> RunDatabase::inputs(std::int64_t model) const {
  return evaluation::read_inputs(implementation_->connection, model);
}

std::vector<EvaluatedPair> RunDatabase::pairs(std::int64_t model) const {
  Connection& connection = implementation_->connection;
  std::vector<EvaluatedPair> pairs;
  std::map<std::pair<std::int64_t, std::int64_t>, std::size_t> positions;
  // One moment of the database, though another process may write.
  const Transaction transaction(connection, Access::read);
  const std::int64_t images = evaluation::count_images(connection);
  Statement rows(connection,
                 "SELECT source, round, target, source_class, target_class, source_probability, "
                 "target_image_probability, start_probability, probability, target_probability, probability_8bit, "
                 "outside, accepted, rejected, l2, rmse, linf, ssim, lpips FROM pairs WHERE model = ? "
                 "ORDER BY source, round");
  rows.bind(model);
  while (rows.step()) {
    const auto number = [&rows](int column) { return static_cast<float>(rows.number(column)); };
    const auto optional = [&rows](int column) {
      return rows.is_null(column) ? std::nullopt : std::optional(rows.number(column));
    };
    EvaluatedPair pair;
    pair.model = model;
    pair.source = rows.integer(0);
    pair.round = rows.integer(1);
    pair.target = rows.integer(2);
    evaluation::check_number(connection, "a pair's source", pair.source, images);
    evaluation::check_number(connection, "a pair's target", pair.target, images);
    pair.source_class = static_cast<std::int32_t>(rows.integer(3));
    pair.target_class = static_cast<std::int32_t>(rows.integer(4));
    pair.source_probability = number(5);
    pair.target_image_probability = number(6);
    pair.start_probability = number(7);
    pair.probability = number(8);
    pair.target_probability = number(9);
    pair.probability_8bit = number(10);
    pair.outside = rows.integer(11) != 0;
    pair.accepted = rows.integer(12);
    pair.rejected = rows.integer(13);
    pair.l2 = rows.number(14);
    pair.rmse = rows.number(15);
    pair.linf = rows.number(16);
    pair.ssim = optional(17);
    pair.lpips = optional(18);
    positions.emplace(std::pair{pair.source, pair.round}, pairs.size());
    pairs.push_back(std::move(pair));
  }
  Statement records(connection,
                    "SELECT source, round, iteration, probability, target_probability, png IS NOT NULL FROM records "
                    "WHERE model = ? ORDER BY source, round, iteration");
  records.bind(model);
  while (records.step()) {
    const auto position = positions.find({records.integer(0), records.integer(1)});
    if (position == positions.end()) continue;
    pairs[position->second].records.push_back({records.integer(2),
                                               static_cast<float>(records.number(3)),
                                               static_cast<float>(records.number(4)),
                                               records.integer(5) != 0,
                                               {}});
  }
  if (evaluation::holds_widths(connection)) evaluation::read_widths(connection, model, pairs);
  return pairs;
}

std::set<std::int64_t> RunDatabase::sources_with_hulls(std::int64_t model) const {
  return evaluation::read_sources_with_hulls(implementation_->connection, model);
}

std::vector<EvaluatedHull> RunDatabase::hulls(std::int64_t model) const {
  std::vector<EvaluatedHull> hulls;
  Statement rows(implementation_->connection,
                 "SELECT source, first_round, second_round, predicted, probabilities FROM hulls JOIN inputs "
                 "ON inputs.model = hulls.model AND inputs.image = hulls.source WHERE hulls.model = ? "
                 "ORDER BY source, first_round, second_round");
  rows.bind(model);
  const std::int64_t images = evaluation::count_images(implementation_->connection);
  while (rows.step()) {
    evaluation::check_number(implementation_->connection, "a triangle's source", rows.integer(0), images);
    hulls.push_back({model, rows.integer(0), rows.integer(1), rows.integer(2),
                     static_cast<std::int32_t>(rows.integer(3)), rows.floats(4)});
  }
  return hulls;
}

std::vector<std::int64_t> RunDatabase::selected_targets(std::int64_t count) const {
  constexpr float least_probability = 0.6F;
  const std::vector<EvaluatedImage> all = images();
  std::vector<std::size_t> right(all.size(), 0);
  const std::vector<EvaluatedModel> networks = models();
  // Without a label there is no being right: the networks must agree, so that the image has one class for all of them.
  std::vector<std::optional<std::int32_t>> classes(all.size());
  for (const EvaluatedModel& network : networks) {
    for (const EvaluatedInput& input : inputs(network.number)) {
      const auto image = static_cast<std::size_t>(input.image);
      if (!classes[image]) classes[image] = all[image].label.value_or(input.predicted);
      const bool is_right = input.dropped_reason.empty() && input.predicted == *classes[image];
      if (is_right && input.probability > least_probability) ++right[image];
    }
  }
  std::vector<std::int64_t> selected;
  std::vector<std::int32_t> taken;
  for (const EvaluatedImage& image : all) {
    const auto number = static_cast<std::size_t>(image.number);
    if (count > 0 && static_cast<std::int64_t>(selected.size()) == count) break;
    if (networks.empty() || right[number] != networks.size()) continue;
    if (std::find(taken.begin(), taken.end(), *classes[number]) != taken.end()) continue;
    taken.push_back(*classes[number]);
    selected.push_back(image.number);
  }
  return selected;
}

namespace {

std::vector<std::uint8_t> one_blob(Connection& connection, const std::string& sql,
                                   std::initializer_list<std::int64_t> key) {
  Statement rows(connection, sql);
  for (const std::int64_t part : key) rows.bind(part);
  return rows.step() ? rows.blob(0) : std::vector<std::uint8_t>();
}

}  // namespace

std::vector<std::uint8_t> RunDatabase::input_png(std::int64_t model, std::int64_t image) const {
  return one_blob(implementation_->connection, "SELECT png FROM inputs WHERE model = ? AND image = ?", {model, image});
}

std::vector<std::uint8_t> RunDatabase::final_png(std::int64_t model, std::int64_t source, std::int64_t round) const {
  return one_blob(implementation_->connection,
                  "SELECT final_png FROM pairs WHERE model = ? AND source = ? AND round = ?", {model, source, round});
}

std::vector<std::uint8_t> RunDatabase::record_png(std::int64_t model, std::int64_t source, std::int64_t round,
                                                  std::int64_t iteration) const {
  return one_blob(implementation_->connection,
                  "SELECT png FROM records WHERE model = ? AND source = ? AND round = ? AND iteration = ?",
                  {model, source, round, iteration});
}

std::string RunDatabase::content_sha256() const {
  Connection& connection = implementation_->connection;
  weights::Sha256 hash;
  const auto add = [&hash](const std::string& text) { hash.add(std::as_bytes(std::span(text))); };
  for (const std::string& table : evaluation::table_names(connection)) {
    add("\n" + table);
    Statement rows(connection, fmt::format("SELECT * FROM {} ORDER BY {}", table, evaluation::key_of(table)));
    while (rows.step()) {
      // How the content is written down is none of it.
      if (table == "settings" && rows.text(0) == evaluation::schema_setting) continue;
      add("\n");
      for (int column = 0; column < rows.columns(); ++column) add(rows.canonical(column) + " ");
    }
  }
  return hash.hexadecimal();
}

}  // namespace blindspot
