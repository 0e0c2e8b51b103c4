// The facade behind the public header model.h: a source, a device, a network on it, and the loops that feed slices of a
// batch through. Sees every floor below; the arithmetic stands elsewhere.
#include "blindspot/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/devices.h"
#include "engine/levelset/walk.h"
#include "engine/model_inside.h"
#include "engine/model_networks.h"
#include "engine/model_source.h"
#include "engine/networks/forgetting.h"

namespace blindspot {

namespace {

/// Images laid one behind the other, the last slice filled up with copies of the first image.
std::vector<float> pack_slice(const std::vector<const Image*>& images, std::size_t first, std::size_t slice,
                              const Network& network) {
  const auto count = static_cast<std::size_t>(3 * network.height() * network.width());
  std::vector<float> packed;
  packed.reserve(slice * count);
  for (std::size_t i = first; i < first + slice; ++i) {
    const Image& image = *images[i < images.size() ? i : 0];
    if (image.values.size() != count || image.height != network.height()) {
      throw Error(ErrorKind::usage, fmt::format("an image is {}×{}, the network's input is {}×{}", image.width,
                                                image.height, network.width(), network.height()));
    }
    packed.insert(packed.end(), image.values.begin(), image.values.end());
  }
  return packed;
}

void check_classes(const std::vector<std::int32_t>& classes, std::int64_t count) {
  for (const std::int32_t k : classes) {
    if (k < 0 || k >= count) {
      throw Error(ErrorKind::usage, fmt::format("class {}: the network has the classes 0 to {}", k, count - 1));
    }
  }
}

double cross_entropy(const std::vector<float>& logits, std::int32_t k) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return std::log(sum) + largest - static_cast<double>(logits[static_cast<std::size_t>(k)]);
}

/// Calls `use(logits, first, count)` for each slice of `images`.
template <typename Use>
void forward_slices(NetworkOnDevice& prepared, const std::vector<const Image*>& images, const Cancelled& cancelled,
                    const Use& use) {
  Network& network = *prepared.network;
  Device& device = *prepared.device;
  const auto slice = static_cast<std::size_t>(network.batch());
  for (std::size_t first = 0; first < images.size(); first += slice) {
    stop_if(cancelled);
    Array input = device.array(Type::float32, {network.batch(), 3, network.height(), network.width()});
    device.upload(std::span<const float>(pack_slice(images, first, slice, network)), input);
    const Forgetting at_the_end(network);
    const Array logits = network.forward(images_from(device, input));
    use(logits, first, std::min(slice, images.size() - first));
  }
}

std::vector<std::vector<float>> rows_of(Device& device, const Array& logits, std::size_t count) {
  const auto classes = static_cast<std::size_t>(logits.shape().last());
  std::vector<float> values(static_cast<std::size_t>(logits.shape().count()));
  device.download(logits, values);
  std::vector<std::vector<float>> rows;
  for (std::size_t i = 0; i < count; ++i) {
    const auto row = values.begin() + static_cast<std::ptrdiff_t>(i * classes);
    rows.emplace_back(row, row + static_cast<std::ptrdiff_t>(classes));
  }
  return rows;
}

std::vector<std::vector<float>> logits_of(NetworkOnDevice& prepared, const std::vector<const Image*>& images,
                                          const Cancelled& cancelled) {
  std::vector<std::vector<float>> all;
  forward_slices(prepared, images, cancelled, [&](const Array& logits, std::size_t, std::size_t count) {
    for (std::vector<float>& row : rows_of(*prepared.device, logits, count)) all.push_back(std::move(row));
  });
  return all;
}

}  // namespace

struct Model::Implementation {
  ModelSource source;
  ModelNetworks networks;  // after source, which it reads
  double milliseconds_to_open = 0;
  Cancelled cancelled;

  Implementation(ModelSource opened, const DeviceChoice& choice, const ModelOptions& options)
      : source(std::move(opened)), networks(source, choice, options.batch), cancelled(options.cancelled) {}
};

ModelNetworks& ModelInside::networks(Model& model) {
  return model.implementation_->networks;
}
const Cancelled& ModelInside::cancelled(const Model& model) {
  return model.implementation_->cancelled;
}

Model::Model(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model&&) noexcept = default;
Model::~Model() = default;

template <typename OpenSource>
Model Model::open_source(const ModelOptions& options, const OpenSource& open_source) {
  const auto start = std::chrono::steady_clock::now();
  if (options.batch < 0) throw Error(ErrorKind::usage, fmt::format("--batch {}: it must be 0 or more", options.batch));
  const DeviceChoice choice = choose_device(options.device, options.precision, options.threads);
  ModelSource source = open_source();
  source.information.weights_sha256 = source.state.sha256();
  auto implementation = std::make_unique<Implementation>(std::move(source), choice, options);
  implementation->milliseconds_to_open =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return Model(std::move(implementation));
}

Model Model::open(const std::string& model, const ModelOptions& options) {
  return open_source(options, [&] { return open_model_source(model, options); });
}

Model Model::open_memory(const std::string& name, std::span<const std::byte> bytes, const ModelOptions& options) {
  return open_source(options, [&] {
    ModelSource source = model_source_of(
        std::make_shared<const weights::WeightFile>(weights::WeightFile::from_memory(name, bytes)), options);
    source.information.name = name;
    return source;
  });
}

const ModelInformation& Model::information() const {
  return implementation_->source.information;
}
std::string Model::device() const {
  return implementation_->networks.working().device->name();
}
std::string Model::device_description() const {
  return implementation_->networks.device_description();
}

std::vector<std::string> Model::plans() const {
  return implementation_->networks.plans();
}

std::string Model::device_note() const {
  return implementation_->networks.choice().note;
}
Precision Model::precision() const {
  return implementation_->networks.choice().precision;
}
int Model::threads() const {
  return implementation_->networks.working().device->threads();
}
std::int64_t Model::batch() const {
  return implementation_->networks.batch();
}
std::int64_t Model::slice() const {
  return implementation_->networks.working().network->batch();
}
std::size_t Model::arena_bytes() const {
  return implementation_->networks.arena_bytes();
}
double Model::milliseconds_to_open() const {
  return implementation_->milliseconds_to_open;
}
double Model::milliseconds_of_both_passes(std::int64_t times) {
  return implementation_->networks.milliseconds_of_both_passes(times);
}
double Model::operations_per_image() const {
  double operations = 0;
  for (const OperationWork& pass : implementation_->networks.working().work) operations += pass.operations;
  return operations / static_cast<double>(slice());
}
std::vector<OperationWork> Model::work_per_slice() const {
  return implementation_->networks.working().work;
}
std::uint64_t Model::peak_gpu_bytes() const {
  return implementation_->networks.peak_gpu_bytes();
}

std::vector<std::vector<float>> Model::logits(const std::vector<const Image*>& images) {
  return logits_of(implementation_->networks.working(), images, implementation_->cancelled);
}

std::vector<Model::Gradient> Model::gradients(const std::vector<const Image*>& images,
                                              const std::vector<std::int32_t>& classes) {
  if (images.size() != classes.size()) throw Error(ErrorKind::usage, "as many classes as images are needed");
  check_classes(classes, information().class_count);
  implementation_->networks.make_room_for_gradients();
  NetworkOnDevice& prepared = implementation_->networks.working();
  Network& network = *prepared.network;
  Device& device = *prepared.device;
  const auto slice = static_cast<std::size_t>(network.batch());
  const auto values_per_image = static_cast<std::size_t>(3 * network.height() * network.width());
  std::vector<Gradient> gradients;
  forward_slices(prepared, images, implementation_->cancelled,
                 [&](const Array& logits, std::size_t first, std::size_t count) {
                   std::vector<std::int32_t> slice_classes(slice, classes[0]);
                   std::copy_n(classes.begin() + static_cast<std::ptrdiff_t>(first), count, slice_classes.begin());
                   Array class_array = device.array(Type::int32, {network.batch()});
                   device.upload(std::span<const std::int32_t>(slice_classes), class_array);
                   Array seed = device.array(Type::float32, logits.shape());
                   Array inverse_scale = device.array(Type::float32, {network.batch()});
                   device.cross_entropy_seed(logits, class_array, seed, inverse_scale);
                   Array dimages = device.array(Type::float32, {network.batch(), 3, network.height(), network.width()});
                   network.input_gradient(seed, gradient_into(device, dimages));
                   std::vector<float> values(slice * values_per_image);
                   std::vector<float> scales(slice);
                   device.download(dimages, values);
                   device.download(inverse_scale, scales);
                   std::vector<std::vector<float>> rows = rows_of(device, logits, count);
                   for (std::size_t i = 0; i < count; ++i) {
                     const auto from = values.begin() + static_cast<std::ptrdiff_t>(i * values_per_image);
                     Gradient result;
                     result.gradient = {static_cast<int>(network.height()),
                                        static_cast<int>(network.width()),
                                        {from, from + static_cast<std::ptrdiff_t>(values_per_image)}};
                     for (float& value : result.gradient.values) value *= scales[i];
                     result.cross_entropy = cross_entropy(rows[i], slice_classes[i]);
                     result.logits = std::move(rows[i]);
                     gradients.push_back(std::move(result));
                   }
                 });
  return gradients;
}

std::size_t Model::prepare_walks(std::size_t pairs, const std::function<void()>& beside) {
  return implementation_->networks.prepare_walks(pairs, beside);
}

bool Model::walk(const std::vector<WalkPair>& pairs, const WalkParameters& parameters, const WalkOptions& options) {
  parameters.check();
  for (const WalkPair& pair : pairs) check_classes({pair.source_class, pair.target_class}, information().class_count);
  NetworkOnDevice& prepared = implementation_->networks.working();
  prepare_walks(pairs.size());
  levelset::Fp32Probabilities reverify;
  if (precision() != Precision::fp32) {
    reverify = [this](std::span<const Image* const> images, std::span<const std::array<std::int32_t, 2>> classes) {
      const std::vector<std::vector<float>> logits =
          logits_of(implementation_->networks.exact(), {images.begin(), images.end()}, implementation_->cancelled);
      std::vector<std::array<float, 2>> probabilities;
      for (std::size_t i = 0; i < logits.size(); ++i) {
        const std::vector<double> p = softmax(logits[i]);
        probabilities.push_back({static_cast<float>(p[static_cast<std::size_t>(classes[i][0])]),
                                 static_cast<float>(p[static_cast<std::size_t>(classes[i][1])])});
      }
      return probabilities;
    };
  }
  WalkOptions stoppable = options;
  stoppable.cancelled = [&options, this] {
    return (options.cancelled && options.cancelled()) || (implementation_->cancelled && implementation_->cancelled());
  };
  try {
    return levelset::traverse(*prepared.network, *prepared.device, implementation_->networks.slots_for(pairs.size()),
                              pairs, parameters, stoppable, reverify);
  } catch (const Stopped&) {
    return false;  // while recomputing in fp32
  }
}

std::vector<float> Model::probabilities_fp32(const std::vector<const Image*>& images,
                                             const std::vector<std::int32_t>& classes) {
  if (images.size() != classes.size()) throw Error(ErrorKind::usage, "as many classes as images are needed");
  check_classes(classes, information().class_count);
  const std::vector<std::vector<float>> logits =
      logits_of(implementation_->networks.exact(), images, implementation_->cancelled);
  std::vector<float> probabilities;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    probabilities.push_back(static_cast<float>(softmax(logits[i])[static_cast<std::size_t>(classes[i])]));
  }
  return probabilities;
}

std::int32_t predicted_class(const std::vector<float>& logits) {
  return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

std::vector<double> softmax(const std::vector<float>& logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  std::vector<double> probabilities;
  double sum = 0;
  for (const float logit : logits) {
    probabilities.push_back(std::exp(static_cast<double>(logit) - largest));
    sum += probabilities.back();
  }
  for (double& probability : probabilities) probability /= sum;
  return probabilities;
}

}  // namespace blindspot
