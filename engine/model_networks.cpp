// Implementation of model_networks.h.
#include "engine/model_networks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "engine/levelset/walk.h"

namespace blindspot {

namespace {

// Where nobody says how many. Until pairs are to be walked a GPU gets no more either.
constexpr std::int64_t default_batch = 8;
// Beyond this a GPU is busy with any network of ours.
constexpr std::int64_t largest_chosen_batch = 256;
constexpr std::int64_t largest_exact_batch = 32;

/// A device that is given several rounds at once is one for whole batches; a processor takes one image after another.
bool works_in_batches(const Device& device) {
  return device.rounds_together() > 1;
}

std::int64_t slice_of(const Device& device, std::int64_t batch) {
  return std::clamp<std::int64_t>(device.preferred_slice(batch), 1, batch);
}

/// "28 plans 9f3c…": how many, and FNV-1a over them in their order.
std::string plans_text(const std::vector<std::string>& plans) {
  constexpr std::uint64_t prime = 0x100000001B3U;
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const std::string& plan : plans) {
    for (const char letter : plan) hash = (hash ^ static_cast<unsigned char>(letter)) * prime;
    hash = (hash ^ 0xFFU) * prime;
  }
  return fmt::format("{} plan{} {:016x}", plans.size(), plans.size() == 1 ? "" : "s", hash);
}

/// Takes the memory of a forward pass once and for all.
void commit_forward_pass(NetworkOnDevice& exact) {
  Network& network = *exact.network;
  exact.device->commit(exact.device->rehearse([&] {
    const Array input = exact.device->array(Type::float32, {network.batch(), 3, network.height(), network.width()});
    const Array logits = network.forward(images_from(*exact.device, input));
    network.forget();
  }));
}

/// A forward pass and an input gradient of a slice, from images to gradients: what Model::gradients does.
class BothPasses {
 public:
  explicit BothPasses(NetworkOnDevice& on)
      : device_(*on.device),
        network_(*on.network),
        images_(device_.array(Type::float32, {network_.batch(), 3, network_.height(), network_.width()})),
        little_(device_.array(Type::float32, {1})) {}

  void run() {
    const Array logits = network_.forward(images_from(device_, images_));
    const Array classes = device_.array(Type::int32, {network_.batch()});
    Array seed = device_.array(Type::float32, logits.shape());
    Array inverse_scale = device_.array(Type::float32, {network_.batch()});
    device_.cross_entropy_seed(logits, classes, seed, inverse_scale);
    Array dimages = device_.array(Type::float32, images_.shape());
    network_.input_gradient(seed, gradient_into(device_, dimages));
  }

  void clear() {
    device_.fill_zero(images_);
    device_.fill_zero(little_);
  }
  /// Until all that was asked for is done.
  void wait() {
    std::array<float, 1> value{};
    device_.download(little_, value);
  }

 private:
  Device& device_;
  Network& network_;
  Array images_, little_;
};

std::size_t bytes_of_both_passes(NetworkOnDevice& working) {
  return working.device->rehearse([&] { BothPasses(working).run(); });
}

}  // namespace

void NetworkOnDevice::build(const ModelSource& source, std::int64_t slice) {
  const auto work_before = static_cast<std::ptrdiff_t>(device->prepared_work().size());
  const std::size_t plans_before = device->prepared_plans().size();
  network = blindspot::build(source.architecture, source.state, source.information.preprocessing, slice, *device);
  work.assign(device->prepared_work().begin() + work_before, device->prepared_work().end());
  plans = device->prepared_plans();
  plans.erase(plans.begin(), plans.begin() + static_cast<std::ptrdiff_t>(plans_before));
}

ModelNetworks::ModelNetworks(const ModelSource& source, DeviceChoice choice, std::int64_t batch)
    : source_(source),
      choice_(std::move(choice)),
      batch_is_chosen_(batch == 0),
      batch_(batch == 0 ? default_batch : batch) {
  working_.device = make_device(choice_);
  while (!try_working(batch_)) batch_ = std::max<std::int64_t>(1, batch_ / 2);
}

NetworkOnDevice& ModelNetworks::working() {
  if (!working_.network) make_working(batch_);  // there was no memory for it when last it was made
  return working_;
}

/// False where there is no room for this batch, but may be for half of it.
bool ModelNetworks::try_working(std::int64_t batch) {
  try {
    make_working(batch);
    return true;
  } catch (const OutOfMemory&) {
    if (batch <= slice_of(*working_.device, 1)) throw;
    return false;
  }
}

/// The working network for slices of this batch; nothing where it is that already.
void ModelNetworks::make_working(std::int64_t batch) {
  Device& device = *working_.device;
  const std::int64_t slice = slice_of(device, batch);
  if (working_.network && working_.network->batch() == slice) return;
  prepared_slots_ = 0;
  working_.network.reset();  // its memory first
  if (works_in_batches(device)) {
    device.commit(0);
    committed_bytes_ = 0;
  }
  working_.build(source_, slice);
  if (!works_in_batches(device)) return;
  // Now, so that a batch that does not fit is found before any work.
  try {
    commit(bytes_of_both_passes(working_), slice);
  } catch (const OutOfMemory&) {
    working_.network.reset();
    throw;
  }
}

NetworkOnDevice& ModelNetworks::exact() {
  if (choice_.precision == Precision::fp32) return working();
  while (!exact_.network && !try_exact()) {
    exact_.clear();
    batch_ = std::max<std::int64_t>(1, std::min(batch_, default_batch) / 2);
    make_working(batch_);
  }
  return exact_;
}

/// False where there is no room beside the working network, but may be beside one for half of its batch.
bool ModelNetworks::try_exact() {
  try {
    DeviceChoice choice = choice_;
    choice.precision = Precision::fp32;
    exact_.device = make_device(choice);
    // On a processor one image at a time is as fast and takes the least memory.
    const std::int64_t slice = works_in_batches(*exact_.device) ? std::min(batch_, largest_exact_batch) : 1;
    exact_.build(source_, slice);
    commit_forward_pass(exact_);
    return true;
  } catch (const OutOfMemory&) {
    if (prepared_slots_ > 0 || batch_ <= slice_of(*working_.device, 1)) throw;
    return false;
  }
}

std::int64_t ModelNetworks::slots_for(std::size_t pairs) const {
  const std::int64_t slice = slice_of(*working_.device, batch_);
  const std::int64_t needed = (static_cast<std::int64_t>(pairs) + slice - 1) / slice * slice;
  return std::max(slice, std::min(batch_, needed));
}

std::string ModelNetworks::device_description() {
  std::string text = working().device->description();
  if (!working_.plans.empty()) text += ", " + plans_text(working_.plans);
  if (!exact_.plans.empty()) text += ", in fp32 " + plans_text(exact_.plans);
  return text;
}

std::vector<std::string> ModelNetworks::plans() {
  std::vector<std::string> all = working().plans;
  for (const std::string& plan : exact_.plans) all.push_back("in fp32: " + plan);
  return all;
}

std::uint64_t ModelNetworks::peak_gpu_bytes() const {
  return working_.device->peak_bytes() + (exact_.device ? exact_.device->peak_bytes() : 0);
}

/// Once: later runs keep the shape of the first.
void ModelNetworks::choose_batch(std::size_t images) {
  if (works_in_batches(*working_.device) && batch_is_chosen_ && !batch_is_settled_) {
    batch_ = std::clamp<std::int64_t>(static_cast<std::int64_t>(images), 1, largest_chosen_batch);
  }
  batch_is_settled_ = true;
}

/// Nothing where as much was taken already.
void ModelNetworks::commit(std::size_t bytes, std::int64_t images) {
  if (bytes <= committed_bytes_) return;
  const std::uint64_t available = working_.device->available_bytes() + committed_bytes_;
  if (bytes > available) {
    throw OutOfMemory(fmt::format("out of memory: {} images at a time take {} MiB, {} MiB are free", images,
                                  bytes >> 20U, available >> 20U));
  }
  committed_bytes_ = 0;
  prepared_slots_ = 0;
  working_.device->commit(bytes);
  committed_bytes_ = bytes;
}

void ModelNetworks::prepare_points(std::size_t images, const std::function<void(Network&, Device&)>& calls) {
  choose_batch(images);
  Device& device = *working_.device;
  while (true) {
    try {
      make_working(batch_);
      commit(device.rehearse([&] { calls(*working_.network, device); }), working_.network->batch());
      return;
    } catch (const OutOfMemory&) {
      if (batch_ <= slice_of(device, 1)) {
        working_.network.reset();  // made anew by whoever asks for it
        throw;
      }
      exact_.clear();
      batch_ = std::max<std::int64_t>(1, batch_ / 2);
    }
  }
}

void ModelNetworks::make_room_for_gradients() {
  if (committed_bytes_ == 0) return;  // arrays are taken one by one
  commit(bytes_of_both_passes(working()), working().network->batch());
}

double ModelNetworks::milliseconds_of_both_passes(std::int64_t times) {
  make_room_for_gradients();
  NetworkOnDevice& on = working();
  BothPasses passes(on);
  passes.clear();
  const std::unique_ptr<Recording> recording = on.device->record([&passes] { passes.run(); });
  const auto milliseconds = [&](std::int64_t plays) {
    const auto start = std::chrono::steady_clock::now();
    recording->play(plays);
    passes.wait();
    const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
    return taken.count() / static_cast<double>(plays);
  };
  milliseconds(3);  // called, recorded, played
  std::array<double, 5> looks{};
  for (double& look : looks) look = milliseconds(std::max<std::int64_t>(times / std::ssize(looks), 1));
  std::sort(looks.begin(), looks.end());
  return looks[looks.size() / 2];
}

std::size_t ModelNetworks::prepare_walks(std::size_t pairs, const std::function<void()>& beside) {
  choose_batch(pairs);
  while (!take_memory(pairs, beside)) batch_ = std::max<std::int64_t>(1, std::min(batch_, slots_for(pairs)) / 2);
  return arena_bytes();
}

/// False where there is no room for this batch, but may be for half of it.
bool ModelNetworks::take_memory(std::size_t pairs, const std::function<void()>& beside) {
  Device& device = *working_.device;
  try {
    make_working(batch_);
    if (beside) beside();
    if (slots_for(pairs) <= prepared_slots_) return true;
    prepared_slots_ = 0;
    // Before the run, so that nothing is left that could fail for want of memory in its middle.
    if (works_in_batches(device)) exact();
    const std::int64_t slots = slots_for(pairs);
    arena_bytes_ = levelset::memory_of_run(*working_.network, device, slots);
    commit(arena_bytes_, slots);
    prepared_slots_ = slots;
    return true;
  } catch (const OutOfMemory&) {
    exact_.clear();
    if (batch_ <= slice_of(device, 1)) {
      working_.network.reset();  // made anew by whoever asks for it
      throw;
    }
    return false;
  }
}

}  // namespace blindspot
