// The networks of one model on its device: the one that works, the fp32 one that verifies a lower precision, and the
// batch that memory allows. Sees devices, networks and the walk's need of memory.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "engine/devices.h"
#include "engine/model_source.h"
#include "engine/networks/network.h"

namespace blindspot {

/// A network on a device of its own.
struct NetworkOnDevice {
  std::unique_ptr<Device> device;
  std::unique_ptr<Network> network;  // after device: its arrays go first
  std::vector<OperationWork> work;   // of the network, for a slice
  std::vector<std::string> plans;    // of the network: Device::prepared_plans

  NetworkOnDevice() = default;
  // Member by member the device would go while the network that it replaces still has arrays of it.
  NetworkOnDevice(NetworkOnDevice&&) = delete;
  NetworkOnDevice& operator=(NetworkOnDevice&&) = delete;

  /// Gives both back.
  void clear() {
    network.reset();
    device.reset();
    work.clear();
    plans.clear();
  }
  /// The network for slices of that size, in place of the one that was there.
  void build(const ModelSource& source, std::int64_t slice);
};

class ModelNetworks {
 public:
  /// `batch` 0: chosen. `source` must outlive this. Throws Error(device).
  ModelNetworks(const ModelSource& source, DeviceChoice choice, std::int64_t batch);

  /// Throws Error(device) where a batch did not fit before and does not now.
  NetworkOnDevice& working();
  const NetworkOnDevice& working() const { return working_; }
  /// The working network itself in fp32; else a second one, made at first use. Where there is no room for it the batch
  /// is halved, unless a run is prepared.
  NetworkOnDevice& exact();
  const DeviceChoice& choice() const { return choice_; }

  /// Walks at a time.
  std::int64_t batch() const { return batch_; }
  /// No more than `pairs` need, in whole slices: the shapes that run are the slices', so this changes no bits.
  std::int64_t slots_for(std::size_t pairs) const;
  /// Device memory taken for a run, weights not counted.
  std::size_t arena_bytes() const { return std::max(arena_bytes_, committed_bytes_); }
  /// Model::device_description.
  std::string device_description();
  /// Model::plans.
  std::vector<std::string> plans();
  /// The most memory that the devices ever held, where it is their own.
  std::uint64_t peak_gpu_bytes() const;
  /// Model::milliseconds_of_both_passes.
  double milliseconds_of_both_passes(std::int64_t times);
  /// Model::prepare_walks.
  std::size_t prepare_walks(std::size_t pairs, const std::function<void()>& beside);
  /// Takes the memory that `calls` need, which a rehearsal finds; `images` go through the network in all. Where nobody
  /// said how many at a time, and nothing was prepared yet, a GPU gets that many, up to a limit; where there is no
  /// room, half as many, and so on.
  void prepare_points(std::size_t images, const std::function<void(Network&, Device&)>& calls);
  /// Where an arena was taken already: makes sure that it has room for a slice's gradients.
  void make_room_for_gradients();

 private:
  void make_working(std::int64_t batch);
  bool try_working(std::int64_t batch);
  bool try_exact();
  bool take_memory(std::size_t pairs, const std::function<void()>& beside);
  void choose_batch(std::size_t images);
  void commit(std::size_t bytes, std::int64_t images);

  const ModelSource& source_;
  DeviceChoice choice_;
  bool batch_is_chosen_;
  std::int64_t batch_;
  NetworkOnDevice working_;
  NetworkOnDevice exact_;
  std::size_t arena_bytes_ = 0;
  std::size_t committed_bytes_ = 0;
  bool batch_is_settled_ = false;
  std::int64_t prepared_slots_ = 0;  // for which the arena was taken
};

}  // namespace blindspot
