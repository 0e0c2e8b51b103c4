// What the measures need of a Model beyond its public interface. For the facade's own files.
#pragma once

#include "blindspot/model.h"
#include "engine/model_networks.h"

namespace blindspot {

struct __attribute__((visibility("hidden"))) ModelInside {
  static ModelNetworks& networks(Model& model);
  static const Cancelled& cancelled(const Model& model);
};

}  // namespace blindspot
