// Implementation of opened_run.h.
#include "engine/evaluation/opened_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "blindspot/error.h"
#include "blindspot/one_line.h"

namespace blindspot::evaluation {

namespace {

constexpr std::size_t images_at_a_time = 256;  // as float32, while they are classified

/// Whether two preprocessings make the same pictures; mean and deviation come later.
bool same_pictures(const Preprocessing& a, const Preprocessing& b) {
  return a.input_size == b.input_size && a.resize == b.resize && a.crop == b.crop && a.interpolation == b.interpolation;
}

/// Options as given, completed by what was recorded.
ModelOptions options_for(ModelOptions options, const EvaluatedModel* recorded, const Cancelled& cancelled) {
  options.cancelled = cancelled;
  if (recorded == nullptr) return options;
  if (options.device == "auto") options.device = recorded->device;
  if (!options.precision) options.precision = recorded->precision;
  if (options.batch == 0) options.batch = recorded->batch;
  if (options.threads == 0 && recorded->device == "cpu") options.threads = recorded->threads;
  return options;
}

/// Whether two names stand for the same weights, used alike.
bool same_network(const ModelInformation& a, const ModelInformation& b) {
  return a.weights_sha256 == b.weights_sha256 && a.preprocessing == b.preprocessing;
}

/// The network that was recorded with these weights, whatever their file was called then; null: there is none.
const EvaluatedModel* recorded_elsewhere(const std::vector<EvaluatedModel>& recorded, const ModelInformation& now) {
  const auto found = std::find_if(recorded.begin(), recorded.end(),
                                  [&now](const EvaluatedModel& model) { return same_network(model.information, now); });
  return found == recorded.end() ? nullptr : &*found;
}

std::string text_of(const Preprocessing& preprocessing) {
  return fmt::format("resize {} {} crop {} mean {} std {}", preprocessing.resize,
                     preprocessing.interpolation == Interpolation::bilinear ? "bilinear" : "bicubic",
                     preprocessing.crop, fmt::join(preprocessing.mean, ","), fmt::join(preprocessing.deviation, ","));
}

/// What a network was recorded with against what it is now.
class Comparison {
 public:
  Comparison(std::string network, std::string database)
      : network_(std::move(network)), database_(std::move(database)) {}

  /// Throws an Error that names both values if they differ.
  void require(const char* what, const std::string& before, const std::string& now, ErrorKind kind) const {
    if (before == now) return;
    throw Error(kind, fmt::format("{}: its {} is {}, but {} was begun with {}; name another database", network_, what,
                                  now, database_, before));
  }

 private:
  std::string network_, database_;
};

void check_weights(const ModelInformation& recorded, const ModelInformation& now, const std::string& database) {
  const Comparison compare(now.name, database);
  compare.require("SHA-256 of the weights", recorded.weights_sha256, now.weights_sha256, ErrorKind::input);
  compare.require("architecture", recorded.architecture, now.architecture, ErrorKind::input);
  compare.require("preprocessing", text_of(recorded.preprocessing), text_of(now.preprocessing), ErrorKind::usage);
}

/// What decides the last bits of a network's numbers.
void check_device(const EvaluatedModel& recorded, const EvaluatedModel& now, const std::string& database) {
  const Comparison compare(now.information.name, database);
  const auto require = [&compare](const char* what, const std::string& before, const std::string& present) {
    compare.require(what, before, present, ErrorKind::usage);
  };
  require("--device", recorded.device, now.device);
  require("--precision", to_string(recorded.precision), to_string(now.precision));
  require("--batch", fmt::format("{}", recorded.batch), fmt::format("{}", now.batch));
  require("slice", fmt::format("{}", recorded.slice), fmt::format("{}", now.slice));
  require("--threads", fmt::format("{}", recorded.threads), fmt::format("{}", now.threads));
  require("device", recorded.device_description, now.device_description);
}

/// Throws where the images are not those that the database was begun with.
void check_images(const std::vector<EvaluatedImage>& recorded, const std::vector<EvaluatedImage>& now,
                  const std::string& images, const std::string& database) {
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorKind::input, fmt::format("{}: {}; name another database or bring the images back", images, what));
  };
  for (std::size_t i = 0; i < std::min(recorded.size(), now.size()); ++i) {
    if (recorded[i].name != now[i].name) {
      refuse(fmt::format("image {} is {}, but {} was begun with {}", i, now[i].name, database, recorded[i].name));
    }
    if (recorded[i].label != now[i].label)
      refuse(fmt::format("{} has another class than {} has", now[i].name, database));
    if (recorded[i].sha256 != now[i].sha256) {
      refuse(fmt::format("{} has SHA-256 {}, but {} was begun with {}", now[i].name, now[i].sha256, database,
                         recorded[i].sha256));
    }
  }
  if (recorded.size() != now.size()) {
    refuse(fmt::format("holds {} images, but {} was begun with {}", now.size(), database, recorded.size()));
  }
}

std::string reason_to_drop(const std::optional<std::int32_t>& label, std::int32_t predicted, float probability,
                           const std::vector<std::string>& names) {
  if (!label || *label == predicted) return {};
  const auto called = [&names](std::int32_t k) {
    const auto index = static_cast<std::size_t>(k);
    return index < names.size() ? names[index] : fmt::format("class {}", k);
  };
  return fmt::format("the network sees {} ({:.4f}), not {}", called(predicted), probability, called(*label));
}

}  // namespace

OpenedRun::OpenedRun(const EvaluationOptions& options) : options_(options) {
  options.parameters.check();
  if (options.models.empty()) throw Error(ErrorKind::usage, "MODEL: name at least one network");
  std::set<std::string> names;
  for (const std::string& name : options.models) {
    if (!names.insert(name).second) throw Error(ErrorKind::usage, fmt::format("MODEL {}: is named twice", name));
  }
  if (options.shard.number < 1 || options.shard.number > options.shard.count) shard_from(to_text(options.shard));
}

Settings OpenedRun::settings() const {
  Settings settings = settings_of(options_.parameters, distances_->lpips_sha256());
  settings["shard"] = to_text(options_.shard);
  return settings;
}

void OpenedRun::open(RunStore* store) {
  const std::string database = options_.database.string();
  const bool begun = store != nullptr && store->begun();
  std::vector<EvaluatedModel> recorded;
  if (begun) recorded = read_models(store->connection());
  const ModelOptions first = options_for(options_.network, recorded.empty() ? nullptr : &recorded.front(), {});
  distances_.emplace(DistanceMeasure::open(
      DistanceOptions{first.device, first.threads, options_.lpips, options_.parameters.walk.mode, options_.cancelled}));
  if (begun) refuse_differences(read_settings(store->connection()), settings(), database);
  found_ = find_images(options_.images, options_.labels, options_.database);
  for (const std::string& name : options_.models) open_network(name, recorded, database);
  if (begun) recorded_images_ = read_images(store->connection());
  begin_reading();
}

void OpenedRun::open_network(const std::string& name, const std::vector<EvaluatedModel>& recorded,
                             const std::string& database) {
  const auto same_name = std::find_if(recorded.begin(), recorded.end(),
                                      [&](const EvaluatedModel& model) { return model.information.name == name; });
  const EvaluatedModel* before = same_name == recorded.end() ? nullptr : &*same_name;
  OpenedNetwork network;
  network.model.emplace(Model::open(name, options_for(options_.network, before, options_.cancelled)));
  if (before == nullptr || !same_network(before->information, network.model->information())) {
    if (const EvaluatedModel* elsewhere = recorded_elsewhere(recorded, network.model->information())) {
      before = elsewhere;
      if (options_.message) {
        options_.message(fmt::format("{}: {} knows these weights as {} and goes on with them", name, database,
                                     one_line(before->information.name)));
      }
      // Again, for what is not given is what was recorded.
      network.model.reset();
      network.model.emplace(Model::open(name, options_for(options_.network, before, options_.cancelled)));
    }
  }
  network.recorded = before != nullptr;
  network.row.information = network.model->information();
  if (before != nullptr) {
    network.row.number = before->number;
  } else {
    const auto fresh =
        std::count_if(networks_.begin(), networks_.end(), [](const OpenedNetwork& other) { return !other.recorded; });
    network.row.number = static_cast<std::int64_t>(recorded.size()) + fresh;
  }
  for (const OpenedNetwork& other : networks_) {
    if (!same_network(other.row.information, network.row.information)) continue;
    throw Error(ErrorKind::usage,
                fmt::format("MODEL {}: has the same weights and preprocessing as {}; name one of them", name,
                            other.model->information().name));
  }
  if (found_.classes > network.row.information.class_count) {
    throw Error(ErrorKind::input,
                fmt::format("{}: has classes up to {}, but {} knows 0 to {} only", options_.images.string(),
                            found_.classes - 1, name, network.row.information.class_count - 1));
  }
  check_class_folders(found_, options_.images, network.row.information);
  if (before != nullptr) {
    check_weights(before->information, network.row.information, database);
    network.row = *before;
  }
  networks_.push_back(std::move(network));
}

/// The images that all networks take, at the size of each.
void OpenedRun::begin_reading() {
  std::vector<Preprocessing> sizes;
  for (OpenedNetwork& network : networks_) {
    const Preprocessing& wanted = network.model->information().preprocessing;
    const auto known = std::find_if(sizes.begin(), sizes.end(),
                                    [&wanted](const Preprocessing& size) { return same_pictures(size, wanted); });
    network.size = static_cast<std::size_t>(known - sizes.begin());
    if (known == sizes.end()) sizes.push_back(wanted);
  }
  reading_ = std::make_unique<ImageReading>(in_seeded_order(found_.images, options_.parameters.walk.seed),
                                            options_.parameters.limit, std::move(sizes));
}

void OpenedRun::finish_reading() {
  while (reading_) {
    read_until(listed_.size() + 1);
    report({}, listed_.size());
  }
}

/// Waits until so many images are read or all are; returns how many of them there are.
std::size_t OpenedRun::read_until(std::size_t count) {
  while (reading_ && listed_.size() < count) {
    std::vector<ListedImage> some = reading_->next(options_.cancelled);
    if (some.empty()) end_reading();
    for (ListedImage& image : some) {
      images_.push_back({static_cast<std::int64_t>(images_.size()), image.found.name, image.found.label, image.sha256});
      listed_.push_back(std::move(image));
    }
  }
  return std::min(count, listed_.size());
}

void OpenedRun::end_reading() {
  unreadable_ = reading_->unreadable();
  reading_.reset();
  unreadable_.insert(unreadable_.end(), found_.unreadable.begin(), found_.unreadable.end());
  std::sort(unreadable_.begin(), unreadable_.end());
  if (recorded_images_) check_images(*recorded_images_, images_, options_.images.string(), options_.database.string());
  if (images_.size() >= 2) return;
  std::string why;
  if (!unreadable_.empty()) {
    why = fmt::format("; {} cannot be read: {}", unreadable_.front().first, unreadable_.front().second);
  }
  throw Error(ErrorKind::input,
              fmt::format("{}: {} that can be read, but every source needs another as its target{}",
                          options_.images.string(), images_.empty() ? "holds no image" : "holds one image only", why));
}

/// How many there are if all can be read. It is known before they are, and the same when a run goes on, so it may
/// decide the batch.
std::size_t OpenedRun::most_images() const {
  const auto limit = static_cast<std::size_t>(options_.parameters.limit);
  return limit > 0 ? std::min(limit, found_.images.size()) : found_.images.size();
}

void OpenedRun::report(const std::string& model, std::size_t done) const {
  if (!options_.progress) return;
  EvaluationProgress progress;
  progress.model = model;
  progress.images_done = static_cast<std::int64_t>(done);
  progress.images = static_cast<std::int64_t>(reading_ ? most_images() : images_.size());
  options_.progress(progress);
}

void OpenedRun::prepare(OpenedNetwork& network) {
  Model& model = *network.model;
  const int side = model.information().preprocessing.input_size;
  model.prepare_walks(most_images() * static_cast<std::size_t>(options_.parameters.rounds),
                      [&] { distances_->prepare(side, side); });
  if (options_.parameters.width) {
    prepare_widths(model, WidthOptions::of(options_.parameters.walk));
    // Those may have halved the batch.
    model.prepare_walks(most_images() * static_cast<std::size_t>(options_.parameters.rounds));
  }
  EvaluatedModel now;
  now.number = network.row.number;
  now.information = model.information();
  now.device = model.device();
  now.device_description = model.device_description();
  now.precision = model.precision();
  now.batch = model.batch();
  now.slice = model.slice();
  now.threads = model.threads();
  if (network.recorded) check_device(network.row, now, options_.database.string());
  if (!network.recorded) network.row = std::move(now);
}

std::vector<const Picture*> OpenedRun::pictures(const OpenedNetwork& network) const {
  std::vector<const Picture*> pictures;
  pictures.reserve(listed_.size());
  for (const ListedImage& image : listed_) pictures.push_back(&image.pictures[network.size]);
  return pictures;
}

std::vector<EvaluatedInput> OpenedRun::classify(OpenedNetwork& network) {
  Model& model = *network.model;
  std::vector<EvaluatedInput> inputs;
  seconds_of_classifying_ = 0;
  while (read_until(inputs.size() + images_at_a_time) > inputs.size()) {
    const std::size_t first = inputs.size();
    std::vector<Image> images;
    std::vector<const Image*> pointers;
    std::vector<std::int32_t> classes;
    for (std::size_t i = first; i < std::min(first + images_at_a_time, listed_.size()); ++i) {
      images.push_back(to_image(listed_[i].pictures[network.size]));
    }
    pointers.reserve(images.size());
    for (const Image& image : images) pointers.push_back(&image);
    const auto start = std::chrono::steady_clock::now();
    for (const std::vector<float>& logits : model.logits(pointers)) {
      classes.push_back(predicted_class(logits));
    }
    const std::vector<float> probabilities = model.probabilities_fp32(pointers, classes);
    seconds_of_classifying_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    for (std::size_t i = 0; i < images.size(); ++i) {
      const EvaluatedImage& image = images_[first + i];
      inputs.push_back({image.number, classes[i], probabilities[i],
                        reason_to_drop(image.label, classes[i], probabilities[i], network.row.information.classes)});
    }
    report(network.row.information.name, inputs.size());
  }
  return inputs;
}

}  // namespace blindspot::evaluation
