// Distances between many pairs of images on one Device (public header distances.h): SSIM by the device's operation,
// LPIPS by AlexNet's features and the device's comparison of them. Sees Device, AlexNet's features and arrays.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "blindspot/distances.h"
#include "engine/device_measures.h"
#include "engine/networks/alexnet.h"

namespace blindspot::levelset {

/// The tensors of an LPIPS file: AlexNet's `features.*` and the 1×1 weights `lin0.model.1.weight` …
/// `lin4.model.1.weight`.
std::vector<weights::TensorDeclaration> declare_lpips();

class ImageDistances {
 public:
  /// `lpips`: a state that was checked against declare_lpips(); none: no LPIPS. The device must be fp32.
  ImageDistances(Device& device, std::optional<weights::StateDict> lpips, WalkMode mode);
  ~ImageDistances();

  struct Size {
    std::int64_t height = 0, width = 0;
    bool operator==(const Size&) const = default;
  };
  /// Builds AlexNet for the size, and takes the memory of a batch; of a smaller one where there is not enough.
  void prepare(const Size& size);
  std::vector<Distances> measure(std::span<const ImagePair> pairs, const Cancelled& cancelled);

 private:
  void take_memory(const Size& size);
  void measure_batch(std::span<const ImagePair> pairs, std::span<Distances* const> results);
  void measure_lpips(const Array& images, std::span<Distances* const> results);

  Device& device_;
  std::optional<weights::StateDict> lpips_;
  SsimMean mean_;
  std::int64_t smallest_side_;  // with an SSIM
  std::int64_t batch_;          // pairs at a time
  std::vector<Array> heads_;    // [C] of each layer
  std::size_t committed_bytes_ = 0;
  Size prepared_;
  std::unique_ptr<AlexNetFeatures> features_;  // for prepared_, two images a pair; null: no LPIPS
};

}  // namespace blindspot::levelset
