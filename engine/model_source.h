// From what a user calls a model (a file, a folder, a built-in name, `rule:ARCH`) to its tensors, its architecture and
// its preprocessing. Sees weights and networks; opens no device.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "blindspot/model.h"
#include "engine/networks/architecture.h"
#include "weights/state.h"

namespace blindspot {

/// Everything that is known of a model before it is put on a device.
struct ModelSource {
  weights::StateDict state;
  Architecture architecture;
  ModelInformation information;
};

/// Throws Error(input) if there is no such model or its file is bad, Error(usage) for options that do not fit it.
ModelSource open_model_source(const std::string& model, const ModelOptions& options);

/// The same for a file that is opened already (conversion).
ModelSource model_source_of(std::shared_ptr<const weights::WeightFile> file, const ModelOptions& options);

}  // namespace blindspot
