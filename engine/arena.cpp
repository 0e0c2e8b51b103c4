// Implementation of arena.h: places, addresses of a rehearsal, and what a committed arena is held to.
#include "engine/arena.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#ifdef BLINDSPOT_FENCED_ARENA
#include <sanitizer/asan_interface.h>
#endif

namespace blindspot {
namespace {

constexpr std::size_t reserved_holes = 16384;
// Arrays of a rehearsal get addresses from here on, which no x86-64 process can map.
constexpr std::uintptr_t rehearsal_addresses = std::uintptr_t{1} << 62U;
constexpr unsigned rehearsal_bits = 46;
constexpr std::uintptr_t rehearsal_numbers = std::uintptr_t{1} << (62U - rehearsal_bits);

// Between arrays and where none lies, touching memory is forbidden: AddressSanitizer reports it.
#ifdef BLINDSPOT_FENCED_ARENA
void forbid(const std::byte* data, std::size_t bytes) noexcept {
  ASAN_POISON_MEMORY_REGION(data, bytes);
}
void allow(const std::byte* data, std::size_t bytes) noexcept {
  ASAN_UNPOISON_MEMORY_REGION(data, bytes);
}
#else
void forbid(const std::byte* /*data*/, std::size_t /*bytes*/) noexcept {}
void allow(const std::byte* /*data*/, std::size_t /*bytes*/) noexcept {}
#endif

std::size_t rounded_up(std::size_t bytes, std::size_t to) {
  return std::max((bytes + to - 1) / to * to, to);
}

/// A number that stands for a block; the sum over blocks does not depend on their order.
std::uint64_t fingerprint_of(const std::byte* data, std::size_t bytes) {
  std::uint64_t bits = reinterpret_cast<std::uintptr_t>(data) * 0x9E3779B97F4A7C15U + bytes;
  bits = (bits ^ (bits >> 31U)) * 0xBF58476D1CE4E5B9U;
  return bits ^ (bits >> 29U);
}

}  // namespace

Placement::Placement(std::size_t first) : end_(first), peak_(first) {
  holes_.reserve(reserved_holes);
}

std::size_t Placement::place(std::size_t bytes) {
  auto best = holes_.end();
  for (auto hole = holes_.begin(); hole != holes_.end(); ++hole) {
    const std::size_t size = hole->end - hole->begin;
    if (size >= bytes && (best == holes_.end() || size < best->end - best->begin)) best = hole;
  }
  if (best == holes_.end()) {
    end_ += bytes;
    peak_ = std::max(peak_, end_);
    return end_ - bytes;
  }
  const std::size_t begin = best->begin;
  best->begin += bytes;
  if (best->begin == best->end) holes_.erase(best);
  return begin;
}

void Placement::remove(std::size_t begin, std::size_t bytes) noexcept {
  Hole freed{begin, begin + bytes};
  auto after = std::lower_bound(holes_.begin(), holes_.end(), begin,
                                [](const Hole& hole, std::size_t value) { return hole.begin < value; });
  if (after != holes_.end() && after->begin == freed.end) {
    freed.end = after->end;
    after = holes_.erase(after);
  }
  if (after != holes_.begin() && (after - 1)->end == freed.begin) {
    freed.begin = (after - 1)->begin;
    after = holes_.erase(after - 1);
  }
  if (freed.end == end_) {
    end_ = freed.begin;
  } else {
    holes_.insert(after, freed);
  }
}

std::size_t array_bytes(Type type, const Shape& shape) {
  const std::int64_t count = shape.count();
  return type == Type::mask ? mask_bytes(count) : static_cast<std::size_t>(count) * element_bytes(type);
}

std::size_t mask_bytes(std::int64_t count) {
  return (static_cast<std::size_t>(count) + 7) / 8;
}

Arena::Arena(MemorySource& source) : source_(source), alignment_(source.alignment()) {}

Arena::~Arena() {
  free_committed();
}

void Arena::free_committed() noexcept {
  if (memory_ != nullptr) {
    allow(memory_, memory_bytes_);
    source_.deallocate(memory_, memory_bytes_);
  }
  memory_ = nullptr;
  memory_bytes_ = 0;
}

std::size_t Arena::padded(std::size_t bytes) const {
  return rounded_up(bytes, alignment_) + (fenced_arena ? alignment_ : 0);
}

std::uintptr_t Arena::rehearsal_base() const {
  return rehearsal_addresses + (rehearsals_ % rehearsal_numbers << rehearsal_bits);
}

Array Arena::take(Type type, Shape shape) {
  // Masks are written in whole words, so they alone are padded in fenced memory.
  const std::size_t bytes =
      type == Type::mask ? rounded_up(array_bytes(type, shape), alignment_) : array_bytes(type, shape);
  if (rehearsing_) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address that only tells places apart; nothing is read through it
    auto* const place = reinterpret_cast<std::byte*>(rehearsal_base() + rehearsed_.place(padded(bytes)));
    return {type, shape, place, bytes, this};
  }
  return {type, shape, take_real(bytes), bytes, this};
}

std::size_t Arena::own_bytes(std::size_t bytes) const {
  return fenced_arena ? std::max<std::size_t>(bytes, 1) : padded(bytes);
}

std::byte* Arena::take_real(std::size_t bytes) {
  std::byte* data = nullptr;
  if (committed_) {
    const std::size_t begin = placement_.place(padded(bytes));
    if (placement_.end() > committed_bytes_) {
      placement_.remove(begin, padded(bytes));
      throw Error(ErrorKind::fault, fmt::format("an arena of {} bytes has no room for {} more: the rehearsal differed",
                                                committed_bytes_, bytes));
    }
    data = memory_ + begin;
    allow(data, own_bytes(bytes));
    // What nobody has written shall not look like what lay there before.
    if constexpr (fenced_arena) std::memset(data, 0xFF, own_bytes(bytes));
  } else {
    data = source_.allocate(own_bytes(bytes));
  }
  alive_bytes_ += padded(bytes);
  fingerprint_ += fingerprint_of(data, bytes);
  return data;
}

void Arena::release(std::byte* data, std::size_t bytes) noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  if ((address & rehearsal_addresses) != 0) {
    // An array may outlive its rehearsal; its place went with it.
    const std::uintptr_t base = rehearsal_base();
    if (rehearsing_ && (address >> rehearsal_bits) == (base >> rehearsal_bits)) {
      rehearsed_.remove(address - base, padded(bytes));
    }
    return;
  }
  alive_bytes_ -= padded(bytes);
  fingerprint_ -= fingerprint_of(data, bytes);
  if (!committed_) {
    source_.deallocate(data, own_bytes(bytes));
  } else {
    forbid(data, own_bytes(bytes));
    placement_.remove(static_cast<std::size_t>(data - memory_), padded(bytes));
  }
}

std::size_t Arena::rehearse(const std::function<void()>& calls) {
  if (rehearsing_) throw Error(ErrorKind::fault, "a rehearsal inside a rehearsal");
  // Ends the rehearsal also when a call throws.
  struct Ending {
    bool& rehearsing;
    explicit Ending(bool& flag) : rehearsing(flag) { rehearsing = true; }
    Ending(const Ending&) = delete;
    Ending& operator=(const Ending&) = delete;
    ~Ending() { rehearsing = false; }
  };
  ++rehearsals_;
  rehearsed_ = Placement(alive_bytes_);
  const Ending ending(rehearsing_);
  calls();
  return rehearsed_.peak();
}

void Arena::commit(std::size_t bytes) {
  if (alive_bytes_ != 0) throw Error(ErrorKind::fault, "an arena cannot be taken while arrays are alive");
  committed_ = false;  // stays so if the memory cannot be had
  committed_bytes_ = 0;
  free_committed();
  if (bytes > 0) {
    memory_ = source_.allocate(bytes);
    memory_bytes_ = bytes;
    forbid(memory_, bytes);
  }
  placement_ = Placement();
  committed_bytes_ = bytes;
  committed_ = true;
}

bool Arena::repeats() const {
  return committed_ && !fenced_arena;
}

std::size_t ConstantMemory::padded(std::size_t bytes) const {
  return rounded_up(bytes, source_.alignment());
}

Array ConstantMemory::take(Type type, Shape shape) {
  const std::size_t bytes = array_bytes(type, shape);
  return {type, shape, source_.allocate(padded(bytes)), bytes, this};
}

void ConstantMemory::release(std::byte* data, std::size_t bytes) noexcept {
  source_.deallocate(data, padded(bytes));
}

}  // namespace blindspot
