// The facade behind DistanceMeasure of the public header distances.h: the LPIPS file, a device, and the distances on
// it. Sees every floor below.
#include <fmt/format.h>

#include "blindspot/distances.h"
#include "engine/devices.h"
#include "engine/levelset/image_distances.h"

namespace blindspot {
namespace {

weights::StateDict read_lpips(const std::filesystem::path& path, std::string& sha256, const Cancelled& cancelled) {
  const auto file = std::make_shared<const weights::WeightFile>(weights::WeightFile::open(path, cancelled));
  weights::StateDict state = weights::StateDict::from_file(file, cancelled);
  try {
    state.check("lpips-alexnet", levelset::declare_lpips());
  } catch (const Error& error) {
    throw Error(ErrorKind::input,
                fmt::format("--lpips: {} (blindspot weights convert ALEXNET --lpips-heads HEADS writes such a file)",
                            error.what()));
  }
  sha256 = file->sha256(cancelled);
  return state;
}

}  // namespace

struct DistanceMeasure::Implementation {
  Cancelled cancelled;
  std::string lpips_sha256;
  std::unique_ptr<Device> device;
  std::unique_ptr<levelset::ImageDistances> distances;  // after device: its arrays go first
};

DistanceMeasure::DistanceMeasure(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
DistanceMeasure::DistanceMeasure(DistanceMeasure&&) noexcept = default;
DistanceMeasure& DistanceMeasure::operator=(DistanceMeasure&&) noexcept = default;
DistanceMeasure::~DistanceMeasure() = default;

DistanceMeasure DistanceMeasure::open(const DistanceOptions& options) {
  auto made = std::make_unique<Implementation>();
  made->cancelled = options.cancelled;
  std::optional<weights::StateDict> lpips;
  if (!options.lpips.empty()) lpips = read_lpips(options.lpips, made->lpips_sha256, options.cancelled);
  made->device = make_device(choose_device(options.device, Precision::fp32, options.threads));
  made->distances = std::make_unique<levelset::ImageDistances>(*made->device, std::move(lpips), options.mode);
  return DistanceMeasure(std::move(made));
}

void DistanceMeasure::prepare(int height, int width) {
  implementation_->distances->prepare({height, width});
}

std::vector<Distances> DistanceMeasure::measure(std::span<const ImagePair> pairs) {
  return implementation_->distances->measure(pairs, implementation_->cancelled);
}

const std::string& DistanceMeasure::lpips_sha256() const {
  return implementation_->lpips_sha256;
}

}  // namespace blindspot
