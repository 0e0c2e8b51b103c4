// The walk itself: Level Set Traversal of many pairs at once, each in a slot of its own, on one Network and one Device.
// Sees Network, Device and arrays; nothing of files. Source: arXiv 2310.19889, Algorithm 1; the conventions are stated
// in slot.cpp and slot_arrays.cpp beside each step.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "blindspot/walk.h"
#include "engine/networks/network.h"

namespace blindspot::levelset {

/// fp32 probabilities of `classes[i]` (the source's, the target's) at `images[i]`: for a network whose own precision is
/// lower, a second network answers.
using Fp32Probabilities = std::function<std::vector<std::array<float, 2>>(
    std::span<const Image* const> images, std::span<const std::array<std::int32_t, 2>> classes)>;

/// Bytes of device memory that a run with these slots takes, found by a rehearsal.
std::size_t memory_of_run(Network& network, Device& device, std::int64_t slots);
/// Finds the same and takes it: commits the device's arena.
std::size_t prepare(Network& network, Device& device, std::int64_t slots);

/// Walks all pairs, `slots` at a time (a multiple of network.batch() is best; other counts are padded). A finished pair
/// makes room for the next. A pair's result has the same bits in any slot and in any company. `reverify` empty: the
/// network is fp32 and its own probabilities stand. Returns false if cancelled. Throws Error(usage) for parameters out
/// of range and for a pair whose images, noise or classes do not fit the network.
bool traverse(Network& network, Device& device, std::int64_t slots, std::span<const WalkPair> pairs,
              const WalkParameters& parameters, const WalkOptions& options, const Fp32Probabilities& reverify);

}  // namespace blindspot::levelset
