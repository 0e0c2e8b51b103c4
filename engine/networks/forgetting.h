// The end of a forward pass whose gradient may or may not be asked for. May use network.h.
#pragma once

#include "engine/networks/network.h"

namespace blindspot {

/// Gives back what a forward pass kept, also when what follows throws.
class Forgetting {
 public:
  explicit Forgetting(Network& network) : network_(network) {}
  Forgetting(const Forgetting&) = delete;
  Forgetting& operator=(const Forgetting&) = delete;
  ~Forgetting() { network_.forget(); }

 private:
  Network& network_;
};

}  // namespace blindspot
