// Implementation of folder_input.h.
#include "tools/report/folder_input.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "blindspot/demo.h"
#include "blindspot/weights.h"
#include "tools/document_node.h"
#include "tools/report/class_labels.h"
#include "tools/report/triangle_file.h"

namespace blindspot::tools::report {

namespace {

constexpr std::int64_t largest_count = 1'000'000'000;

std::string plain(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Everything under `key` that is a plain value, as it is written.
void add_facts(Run& run, const DocumentNode& node) {
  for (const auto& [key, value] : node.value().items()) run.facts.emplace_back(key, plain(value));
}

Run run_of(const DocumentNode& root) {
  const DocumentNode model = root.at("model");
  const DocumentNode parameters = root.at("parameters");
  Run run;
  run.model = short_model_name(model.at("name").text());
  run.iterations = parameters.at("iterations").whole(0, largest_count);
  run.delta = parameters.at("delta").probability();
  add_facts(run, model);
  for (const char* key : {"device", "precision", "batch", "threads"}) {
    if (root.has(key)) run.facts.emplace_back(key, plain(root.at(key).value()));
  }
  add_facts(run, parameters);
  return run;
}

Side side_of(const DocumentNode& node, const ClassLabels& labels) {
  Side side;
  side.path = node.at("path").text();
  side.class_index = node.at("class").whole(0, largest_count);
  side.label = labels.label(side.class_index);
  side.probability = node.at("probability").probability();
  return side;
}

std::vector<WidthRow> width_of(const DocumentNode& record) {
  std::vector<WidthRow> rows;
  if (!record.has("width") || record.at("width").is_null()) return rows;
  const DocumentNode width = record.at("width");
  // A list of rows, or an object that holds one as `width --json` prints it.
  for (const DocumentNode& row : (width.has("radii") ? width.at("radii") : width).elements()) {
    rows.push_back({row.at("radius").number(), row.at("q05").probability(), row.at("q95").probability()});
  }
  return rows;
}

Record record_of(const DocumentNode& node) {
  return {node.at("iteration").whole(0, largest_count), node.at("probability").probability(),
          node.at("target_probability").probability(), width_of(node)};
}

Pair pair_of(const DocumentNode& node, const ClassLabels& labels) {
  const DocumentNode end = node.at("final");
  Pair pair;
  pair.source = side_of(node.at("source"), labels);
  pair.target = side_of(node.at("target"), labels);
  pair.start_probability = node.at("start_probability").probability();
  pair.probability = end.at("probability").probability();
  pair.target_probability = end.at("target_probability").probability();
  pair.probability_8bit = end.at("probability_8bit").probability();
  pair.outside = end.at("outside").flag();
  pair.rmse = end.at("rmse").number_or_nan();
  pair.linf = end.at("linf").number_or_nan();
  pair.ssim = end.at("ssim").number_or_nan();
  pair.lpips = end.at("lpips").number_or_nan();
  pair.accepted = node.at("accepted").whole(0, largest_count);
  pair.rejected = node.at("rejected").whole(0, largest_count);
  for (const DocumentNode& record : node.at("records").elements()) pair.records.push_back(record_of(record));
  return pair;
}

class FolderInput final : public ReportInput {
 public:
  FolderInput(const std::string& folder, const std::string& class_names)
      : images_path_((std::filesystem::path(folder) / "images.safetensors").string()) {
    const std::filesystem::path path = std::filesystem::path(folder) / "result.json";
    const Json document = parse_document(path);
    const DocumentNode root(document, path.string(), "");
    root.require_schema("blindspot/traverse/1");
    images_.emplace(images_path_);
    data_.runs.push_back(run_of(root));
    data_.title = data_.runs[0].model;
    data_.origin = folder;
    data_.version = root.at("version").text();
    data_.interrupted = root.has("interrupted");
    labels_ = ClassLabels(class_names, root.at("model").at("name").text());
    const std::vector<DocumentNode> pairs = root.at("pairs").elements();
    if (class_names.empty()) take_names(pairs);
    for (const DocumentNode& node : pairs) data_.pairs.push_back(pair_of(node, labels_));
    for (const DocumentNode& dropped : root.at("dropped").elements()) {
      data_.left_out.emplace_back(dropped.at("source").text(), dropped.at("reason").text());
    }
    check_images();
  }

  const ReportData& data() const override { return data_; }
  Picture source(std::size_t pair) const override { return picture("source", pair); }
  Picture target(std::size_t pair) const override { return picture("target", pair); }
  Picture final_picture(std::size_t pair) const override { return picture("final", pair); }
  bool has_path(std::size_t pair) const override { return has_path_ && !data_.pairs.at(pair).records.empty(); }

  std::vector<Picture> path(std::size_t pair) const override {
    const std::size_t records = data_.pairs.at(pair).records.size();
    const std::vector<float> values = images_->rows("path", static_cast<std::int64_t>(pair), 1);
    std::vector<Picture> pictures;
    for (std::size_t i = 0; i < records; ++i) pictures.push_back(picture_of(values, i));
    return pictures;
  }

  std::array<Picture, 3> corners(std::size_t triangle) const override { return triangles_.at(triangle).corners; }

  void add_triangle(const std::string& file) {
    TriangleFile triangle = read_triangle_file(file, [this](const std::string& path) { return find_picture(path); });
    triangle.triangle.source_label = labels_.label(triangle.source_class);
    data_.triangles.push_back(triangle.triangle);
    triangles_.push_back(std::move(triangle));
  }

 private:
  /// What the result calls its classes.
  void take_names(const std::vector<DocumentNode>& pairs) {
    for (const DocumentNode& pair : pairs) {
      for (const char* const end : {"source", "target"}) {
        const DocumentNode side = pair.at(end);
        if (side.has("name")) labels_.set(side.at("class").whole(0, largest_count), side.at("name").text());
      }
    }
  }

  void check_images() {
    const auto pairs = static_cast<std::int64_t>(data_.pairs.size());
    shape_ = images_->shape("source");
    if (shape_.size() != 4 || shape_[1] != 3) shape_ = {pairs, 3, 0, 0};
    for (const char* name : {"source", "target", "final"}) {
      const std::vector<std::int64_t> shape = images_->shape(name);
      if (shape == std::vector<std::int64_t>{pairs, 3, shape_[2], shape_[3]} && (pairs == 0 || shape_[2] > 0)) continue;
      throw Error(ErrorKind::input,
                  fmt::format("{}: `{}` does not hold one image for each of the {} pairs of result.json", images_path_,
                              name, pairs));
    }
    const std::vector<std::int64_t> path = images_->shape("path");
    if (path.empty()) return;
    std::int64_t records = path.size() == 5 ? path[1] : -1;
    for (const Pair& pair : data_.pairs) {
      if (static_cast<std::int64_t>(pair.records.size()) != records) records = -1;
    }
    if (path != std::vector<std::int64_t>{pairs, records, 3, shape_[2], shape_[3]}) {
      throw Error(ErrorKind::input,
                  fmt::format("{}: `path` does not hold one image for each record of result.json", images_path_));
    }
    has_path_ = true;
  }

  Picture picture_of(const std::vector<float>& values, std::size_t number) const {
    const auto height = static_cast<int>(shape_[2]), width = static_cast<int>(shape_[3]);
    const std::ptrdiff_t count = std::ptrdiff_t{3} * height * width;
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(number) * count;
    return to_picture({height, width, {begin, begin + count}});
  }

  Picture picture(const std::string& tensor, std::size_t row) const {
    return picture_of(images_->rows(tensor, static_cast<std::int64_t>(row), 1), 0);
  }

  /// The image that a triangle's file names: a source, a target, or a row of the tensor of final images. A PNG file of
  /// a final image is not looked up here but read: its name counts the images of the command line, of which some may
  /// have been left out, and may stand in any folder.
  Picture find_picture(const std::string& path) const {
    for (std::size_t i = 0; i < data_.pairs.size(); ++i) {
      const Pair& pair = data_.pairs[i];
      if (path == fmt::format("{}/images.safetensors:final[{}]", data_.origin, i)) return final_picture(i);
      if (path == pair.source.path) return source(i);
      if (path == pair.target.path) return target(i);
    }
    return {};
  }

  ReportData data_;
  ClassLabels labels_;
  std::string images_path_;
  std::optional<FloatTensorFile> images_;
  std::vector<std::int64_t> shape_;
  bool has_path_ = false;
  std::vector<TriangleFile> triangles_;
};

}  // namespace

std::unique_ptr<ReportInput> open_folder(const std::string& folder, const std::string& class_names,
                                         const std::vector<std::string>& triangles) {
  auto input = std::make_unique<FolderInput>(folder, class_names);
  for (const std::string& file : triangles) input->add_triangle(file);
  return input;
}

}  // namespace blindspot::tools::report
