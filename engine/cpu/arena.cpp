// Memory of the CPU device: see arena.h. Uses mmap for large pieces, so that they can lie on huge pages and go back to
// the operating system when they are given up.
#include "engine/cpu/arena.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <new>
#include <utility>

#include "engine/cpu/cpu_device_class.h"

namespace blindspot::cpu {
namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20U;
constexpr std::size_t reserved_holes = 16384;
// Arrays of a rehearsal get addresses from here on, which no x86-64 process can map.
constexpr std::uintptr_t rehearsal_addresses = std::uintptr_t{1} << 62U;
constexpr unsigned rehearsal_bits = 46;
constexpr std::uintptr_t rehearsal_numbers = std::uintptr_t{1} << (62U - rehearsal_bits);

#ifdef BLINDSPOT_FENCED_ARENA
constexpr bool fenced = true;
#else
constexpr bool fenced = false;
#endif

std::size_t rounded_up(std::size_t bytes, std::size_t to) {
  return (bytes + to - 1) / to * to;
}

std::size_t padded(std::size_t bytes) {
  return std::max(rounded_up(bytes, alignment), alignment);
}

std::byte* allocate(std::size_t bytes) {
  try {
    return static_cast<std::byte*>(::operator new (bytes, std::align_val_t{alignment}));
  } catch (const std::bad_alloc&) {
    throw Error(ErrorKind::device, fmt::format("out of memory: no {} bytes left; choose a smaller --batch", bytes));
  }
}

void deallocate(std::byte* data) noexcept {
  ::operator delete (data, std::align_val_t{alignment});
}

}  // namespace

Memory::Memory(std::size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  const bool large = bytes >= 2 * huge_page;
  mapped_bytes_ = rounded_up(bytes, 4096) + (large ? huge_page : 0);
  mapping_ = mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping_ == MAP_FAILED) {
    mapping_ = nullptr;
    throw Error(ErrorKind::device, fmt::format("out of memory: no {} bytes left; choose a smaller --batch", bytes));
  }
  data_ = static_cast<std::byte*>(mapping_);
  if (large) {
    const auto address = reinterpret_cast<std::uintptr_t>(mapping_);
    data_ += rounded_up(address, huge_page) - address;
    madvise(data_, bytes, MADV_HUGEPAGE);  // advice: where it is not taken, small pages do
  }
}

Memory::Memory(Memory&& other) noexcept
    : mapping_(std::exchange(other.mapping_, nullptr)),
      mapped_bytes_(std::exchange(other.mapped_bytes_, 0)),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

Memory& Memory::operator=(Memory&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Memory::~Memory() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_bytes_);
}

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

Array Arena::take(Type type, Shape shape) {
  // Masks are written in whole words of the instruction set, so they alone are padded in fenced memory.
  const std::size_t bytes = type == Type::mask ? padded(array_bytes(type, shape)) : array_bytes(type, shape);
  if (rehearsing_) {
    const std::uintptr_t base = rehearsal_addresses + (rehearsals_ % rehearsal_numbers << rehearsal_bits);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address that only tells places apart; nothing is read through it
    auto* const place = reinterpret_cast<std::byte*>(base + rehearsed_.place(padded(bytes)));
    return {type, shape, place, bytes, this};
  }
  return {type, shape, take_real(bytes), bytes, this};
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
    // Fenced, the place is still taken, so that the size is held to, but the memory is found elsewhere.
    data = fenced ? allocate(std::max<std::size_t>(bytes, 1)) : memory_.data() + begin;
    if (fenced) fenced_places_.emplace(data, begin);
  } else {
    data = allocate(fenced ? std::max<std::size_t>(bytes, 1) : padded(bytes));
  }
  alive_bytes_ += padded(bytes);
  return data;
}

void Arena::release(std::byte* data, std::size_t bytes) noexcept {
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  if ((address & rehearsal_addresses) != 0) {
    // An array may outlive its rehearsal; its place went with it.
    const std::uintptr_t base = rehearsal_addresses + (rehearsals_ % rehearsal_numbers << rehearsal_bits);
    if (rehearsing_ && (address >> rehearsal_bits) == (base >> rehearsal_bits)) {
      rehearsed_.remove(address - base, padded(bytes));
    }
    return;
  }
  alive_bytes_ -= padded(bytes);
  if (!committed_) {
    deallocate(data);
  } else if (!fenced) {
    placement_.remove(static_cast<std::size_t>(data - memory_.data()), padded(bytes));
  } else {
    const auto place = fenced_places_.find(data);
    placement_.remove(place->second, padded(bytes));
    fenced_places_.erase(place);
    deallocate(data);
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
  memory_ = Memory();
  memory_ = Memory(fenced ? 0 : bytes);
  placement_ = Placement();
  committed_bytes_ = bytes;
  committed_ = true;
}

Array ConstantMemory::take(std::span<const float> values, Shape shape) {
  if (static_cast<std::int64_t>(values.size()) != shape.count()) {
    throw Error(ErrorKind::fault, fmt::format("{} values for a constant {}", values.size(), shape.text()));
  }
  const std::size_t bytes = values.size_bytes();
  std::byte* data = allocate(padded(bytes));
  std::copy(values.begin(), values.end(), reinterpret_cast<float*>(data));
  return {Type::float32, shape, data, bytes, this};
}

void ConstantMemory::release(std::byte* data, std::size_t /*bytes*/) noexcept {
  deallocate(data);
}

}  // namespace blindspot::cpu
