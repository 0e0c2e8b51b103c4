// Where the lanes of one warp meet for collectives: who has come with which mask, and when all are there. Used by both
// schedulers, which do the waiting. May use scheduler.h.
#pragma once

#include <array>
#include <bit>

#include "scheduler.h"

namespace cuda_on_host {

class WarpGatherings {
 public:
  void clear() { count_ = 0; }
  bool empty() const { return count_ == 0; }

  /// A lane comes. Where it is the last of its mask's lanes that are alive, computes for all and returns all of them;
  /// else returns 0, and the lane has to wait.
  std::uint32_t come(unsigned lane, std::uint32_t mask, std::uint32_t alive, WarpFunction compute, void* operand) {
    operands_[lane] = operand;
    unsigned place = 0;
    while (place < count_ && (gatherings_[place].mask != mask || gatherings_[place].compute != compute)) ++place;
    if (place == count_) gatherings_[count_++] = {mask, 0, compute};
    gatherings_[place].come |= 1U << lane;
    return complete(place, alive);
  }

  /// A lane has exited: returns the lanes of some gathering that waited for nobody else, or 0.
  std::uint32_t complete_any(std::uint32_t alive) {
    for (unsigned place = 0; place < count_; ++place) {
      if (const std::uint32_t lanes = complete(place, alive); lanes != 0) return lanes;
    }
    return 0;
  }

 private:
  struct Gathering {
    std::uint32_t mask, come;
    WarpFunction compute;
  };

  std::uint32_t complete(unsigned place, std::uint32_t alive) {
    const Gathering gathering = gatherings_[place];
    if (gathering.come != (gathering.mask & alive)) return 0;
    gathering.compute(operands_.data(), gathering.come);
    gatherings_[place] = gatherings_[--count_];
    return gathering.come;
  }

  unsigned count_ = 0;
  std::array<Gathering, warp_size> gatherings_;
  std::array<void*, warp_size> operands_;
};

}  // namespace cuda_on_host
